/** `npm run manifests` writes the forms of the install that are made from `deploy/`: see forms.ts. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describeError } from "../../src/shared/errors.ts";
import { binarySources, findBinaries } from "../../test/cluster/binaries/find.ts";
import { streamLog } from "../../test/cluster/log.ts";
import { installForms } from "./forms.ts";

const root = join(import.meta.dirname, "../..");

try {
  const { kubectl } = await findBinaries(["kubectl"], binarySources(process.env, streamLog(process.stderr)));
  for (const [path, content] of await installForms(root, kubectl)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    process.stdout.write(`${path}\n`);
  }
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}
