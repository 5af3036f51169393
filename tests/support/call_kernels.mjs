// Calls kernels of a WebAssembly module: node call_kernels.mjs MODULE. A line of JSON on the standard input is a call,
// {real, index, arguments}; the answer, a line of JSON, says what is returned and what the arrays hold then.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { default: load } = await import(pathToFileURL(process.argv[2]));
const module = await load();

function copyIn(bytes, taken) {
  const address = module._malloc(Math.max(bytes.length, 16));
  module.HEAPU8.set(bytes, address);
  taken.push({ address, length: bytes.length });
  return address;
}

function place(argument, taken) {
  if (argument === null) return 0;
  if ("number" in argument) return argument.number;
  if ("integer" in argument) return BigInt(argument.integer);
  if ("array" in argument) return copyIn(Buffer.from(argument.array, "base64"), taken);
  const addresses = argument.arrays.map((each) => place(each, taken));
  const address = module._malloc(Math.max(4 * addresses.length, 16));
  addresses.forEach((each, i) => new DataView(module.HEAPU8.buffer).setUint32(address + 4 * i, each, true));
  return address;
}

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  if (call.index === null) {
    console.log(module._panel_width(call.real));
    continue;
  }
  const taken = [];
  const kernel = module.wasmTable.get(module._kernel(call.real, call.index));
  const result = kernel(...call.arguments.map((argument) => place(argument, taken)));
  const arrays = taken.map(({ address, length }) =>
    Buffer.from(module.HEAPU8.slice(address, address + length)).toString("base64"),
  );
  taken.forEach(({ address }) => module._free(address));
  console.log(JSON.stringify({ result: result ?? null, arrays }));
}
