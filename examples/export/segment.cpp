// Segment a picture by a file that `hierseg export --format openvino` wrote.
// g++ -std=c++17 segment.cpp -lopenvino -o segment
// ./segment streetlite.xml photo.ppm labels.pgm
#include <fstream>
#include <openvino/openvino.hpp>

int main(int, char** words) {
  std::ifstream picture(words[2], std::ios::binary);
  std::string kind;
  size_t width, height, most;
  picture >> kind >> width >> height >> most;  // P6: RGB, a byte each
  picture.get();
  ov::Tensor image(ov::element::u8, {1, 3, height, width});
  auto* planes = image.data<uint8_t>();
  for (size_t pixel = 0; pixel < width * height; ++pixel)
    for (size_t plane = 0; plane < 3; ++plane) planes[plane * width * height + pixel] = picture.get();
  auto exact = ov::hint::inference_precision(ov::element::f32);  // else bf16, where the CPU has it
  auto request = ov::Core().compile_model(words[1], "CPU", exact).create_infer_request();
  request.set_input_tensor(image);
  request.infer();
  const auto* labels = request.get_output_tensor(0).data<uint8_t>();
  std::ofstream out(words[3], std::ios::binary);
  out << "P5\n" << width << " " << height << "\n255\n";
  out.write(reinterpret_cast<const char*>(labels), width * height);
}
