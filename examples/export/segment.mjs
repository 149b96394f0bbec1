// Segment a picture by a file that `hierseg export --format onnx` wrote.
// npm install --ignore-scripts onnxruntime-node pngjs
// node segment.mjs streetlite.onnx photo.png labels.png
import { readFileSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";
import { PNG } from "pngjs";

const [graph, picture, out] = process.argv.slice(2);
const { width, height, data } = PNG.sync.read(readFileSync(picture)); // RGBA
const size = width * height;
const image = new Uint8Array(3 * size); // planes of R, G and B
for (let pixel = 0; pixel < size; pixel++)
  for (let plane = 0; plane < 3; plane++) image[plane * size + pixel] = data[4 * pixel + plane];
const session = await ort.InferenceSession.create(graph);
const input = new ort.Tensor("uint8", image, [1, 3, height, width]);
const { labels } = await session.run({ image: input });
const png = new PNG({ width, height, colorType: 0, inputColorType: 0 });
png.data = Buffer.from(labels.data);
writeFileSync(out, PNG.sync.write(png, { colorType: 0, inputColorType: 0, inputHasAlpha: false }));
