// Gives the exports the names that the WIT wants: AssemblyScript cannot spell `:`, `/`, `@` and `#`.
import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from 'binaryen';

const [, , from, to] = process.argv;
const module = binaryen.readBinary(readFileSync(from));
for (const name of ['init', 'pick']) {
  module.addFunctionExport(binaryen.getExportInfo(module.getExport(`policy_${name}`)).value, `pointsman:policy/policy@0.1.0#${name}`);
  module.removeExport(`policy_${name}`);
}
writeFileSync(to, module.emitBinary());
