// Runs the glTF validator of Khronos over files and prints {errors, warnings, messages} as JSON.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import validator from "gltf-validator";

const result = { errors: 0, warnings: 0, messages: [] };
for (const file of process.argv.slice(2)) {
  const report = await validator.validateBytes(new Uint8Array(await readFile(file)), {
    maxIssues: 20,
  });
  result.errors += report.issues.numErrors;
  result.warnings += report.issues.numWarnings;
  for (const { severity, code, message, pointer } of report.issues.messages) {
    if (severity < 2) {
      result.messages.push(`${basename(file)} ${pointer}: ${code}: ${message}`);
    }
  }
}
console.log(JSON.stringify(result));
