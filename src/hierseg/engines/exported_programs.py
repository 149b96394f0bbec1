def check_program(file, path): pass
