import { parseAllDocuments } from "yaml";
import { record } from "../../src/shared/json.ts";

/** What `koncli doctor` compares with a cluster's: who changes these switches konductor off without a word. */
const COMPARED = [
  "MutatingWebhookConfiguration",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
];

/** Those objects of an install, one a line, as JSON. */
export function shippedObjects(install: string): string {
  const objects = parseAllDocuments(install)
    .map((document) => record(document.toJS()))
    .filter(({ kind }) => COMPARED.includes(String(kind)));
  return `[\n${objects.map((object) => JSON.stringify(object)).join(",\n")}\n]\n`;
}
