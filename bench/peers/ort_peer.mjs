// ONNX Runtime's side of the whole-network bench (Delineate.Bench networks starts it; it is not meant to be run by hand).
//
//   node ort_peer.mjs WORKLOAD FOLDER MODE THREADS
//
// Loads FOLDER/model.onnx once, then obeys lines on standard input: `run N` times N runs and answers with one JSON line, `save PREFIX` writes the
// outputs of the last timed run. The outputs' memory is given with each run, filled with NaN before it.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const ort = require('onnxruntime-node');
const version = require('onnxruntime-node/package.json').version;

const [, folder, , threads] = process.argv.slice(2);
const work = JSON.parse(readFileSync(`${folder}/work.json`, 'utf8'));
const session = await ort.InferenceSession.create(`${folder}/model.onnx`, {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
});

const floats = (path) => {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
};
const feeds = { x: new ort.Tensor('float32', floats(`${folder}/input.f32`), work.input) };
const outputs = {};
for (const { name, shape } of work.outputs) {
  outputs[name] = new ort.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
}
const answer = (values) => process.stdout.write(`${JSON.stringify(values)}\n`);

async function run() {
  for (const { name } of work.outputs) outputs[name].data.fill(NaN);
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await session.run(feeds, outputs);
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const used = process.cpuUsage(cpu);
  return [ms, (used.user + used.system) / 1e3];
}

answer({ version });
for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(' ');
  if (command === 'run') {
    const times = [];
    for (let i = 0; i < Number(argument); i++) times.push(await run());
    answer({ ms: times.map((t) => t[0]), cpu_ms: times.map((t) => t[1]) });
  } else if (command === 'save') {
    work.outputs.forEach(({ name }, i) => writeFileSync(`${argument}${i}.f32`, Buffer.from(outputs[name].data.buffer)));
    answer({ saved: work.outputs.length });
  }
}
