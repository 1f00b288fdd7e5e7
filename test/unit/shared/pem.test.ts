/** One bundle is read alike by konductor, gate and koncli. */
import { expect, test } from "vitest";
import { certificatesIn } from "../../../src/shared/pem.ts";

const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";
const whole = (body: string) => `${BEGIN}\n${body}\n${END}`;

test.each<[string, string, string[]]>([
  ["nothing", "", []],
  ["what is no certificate", "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n", []],
  ["one after the other", `${whole("AA")}\n\n${whole("BB")}\n`, [whole("AA"), whole("BB")]],
  ["words in between", `# old\n${whole("AA")}\n# new\n${whole("BB")}`, [whole("AA"), whole("BB")]],
  ["Windows' line ends", whole("AA").replaceAll("\n", "\r\n"), [whole("AA").replaceAll("\n", "\r\n")]],
  ["one that is cut off, and the next one", `${BEGIN}\nAA\n${whole("BB")}`, [`${BEGIN}\nAA\n`, whole("BB")]],
  ["one that is cut off at the end", `${whole("AA")}\n${BEGIN}\nBB`, [whole("AA"), `${BEGIN}\nBB`]],
])("%s", (_, bundle, certificates) => {
  expect(certificatesIn(bundle)).toEqual(certificates);
});
