import { basename } from "node:path";
import { list, record, text } from "../../../src/shared/json.ts";

/** The libraries that this process has loaded, its loader among them: paths by name. */
export function ownLibraries(): Map<string, string> {
  const paths = list(record(process.report.getReport())["sharedObjects"]).map((each) => text(each) ?? "");
  return new Map(paths.filter((path) => path.startsWith("/")).map((path) => [basename(path), path]));
}
