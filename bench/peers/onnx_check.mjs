// ONNX Runtime's side of `Delineate.Bench onnx`, which starts it; it is not meant to be run by hand.
//
//   node onnx_check.mjs FOLDER
//
// Reads one JSON line for each case from standard input, {model, input, type, shape, output}: loads FOLDER/model (once for cases in a row), runs it on the raw
// values in FOLDER/input, writes the first result to FOLDER/output, the others to FOLDER/output.NAME, and answers with one JSON line, {shape, outputs, shapes} or {error}.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const ort = require('onnxruntime-node');
const folder = process.argv[2];
let loaded = '';
let session;

for await (const line of createInterface({ input: process.stdin })) {
  const { model, input, type, shape, output } = JSON.parse(line);
  try {
    if (loaded !== model) {
      await session?.release();
      session = await ort.InferenceSession.create(`${folder}/${model}`, { executionProviders: ['cpu'], graphOptimizationLevel: 'all' });
      loaded = model;
    }
    const bytes = readFileSync(`${folder}/${input}`);
    const values = type === 'uint8' ? new Uint8Array(bytes) : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const results = await session.run({ [session.inputNames[0]]: new ort.Tensor(type, values, shape) });
    for (const [i, name] of session.outputNames.entries()) {
      const { data } = results[name];
      writeFileSync(`${folder}/${i === 0 ? output : `${output}.${name}`}`, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
    const shapes = session.outputNames.map((name) => results[name].dims);
    process.stdout.write(`${JSON.stringify({ shape: shapes[0], outputs: session.outputNames, shapes })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: String(error.message ?? error) })}\n`);
  }
}
