import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeError } from "../shared/errors.ts";
import { parseObject, wordOf, wordsOf } from "./json.ts";
import type { Log } from "./log.ts";
import { replaceFile } from "./replace-file.ts";
import type { Contact } from "./wire/answers.ts";
import { areCertificates } from "./wire/certificate.ts";
import { MAX_ANSWER_BYTES } from "./wire/lines.ts";
import { isHttps } from "./wire/route.ts";

/**
 * `trust.json` in the trust directory: whom the pod has learnt to trust, and at which address, if that is not what its environment says.
 *
 * The directory is on a disk and outlives a reboot of the node: by then the authority of the pod's creation may sign no more. The hold must
 * not outlive a reboot, as its deadline counts from the boot, and a keeper that has to fence must not wait for a disk. This file is written
 * rarely, and just after an answer, when the deadline is far.
 */
export interface TrustFile {
  /** What was learnt; undefined if that is nothing, or cannot be read, which is logged. */
  read(): Contact | undefined;
  /** Stores what an answer has said, unless it is known already. A failure is logged once, and the next answer is stored again. */
  keep(contact: Contact): void;
}

export interface TrustFileOptions {
  /** undefined: the pod was made by a konductor that knew no such directory. */
  dir: string | undefined;
  /** What the environment says. */
  known: Contact;
  log: Log;
}

export function trustFile({ dir, known, log }: TrustFileOptions): TrustFile {
  if (dir === undefined) return { read: () => undefined, keep() {} };
  const path = join(dir, "trust.json");
  let last = keyOf(known);
  let hasFailed = false;
  return {
    read() {
      try {
        const stats = statSync(path, { throwIfNoEntry: false });
        if (stats === undefined) return undefined;
        if (!stats.isFile() || stats.size > MAX_ANSWER_BYTES)
          throw new Error(`it is no file of at most ${MAX_ANSWER_BYTES} bytes`);
        const contact = parseTrust(readFileSync(path, "utf8"));
        last = keyOf(contact);
        return contact;
      } catch (error) {
        log.info(
          `${path} is ignored, and konductor trusted as when the pod was made: ${describeError(error)}`,
        );
        return undefined;
      }
    },
    keep(contact) {
      const key = keyOf(contact);
      if (contact.ca === undefined || key === last) return;
      try {
        replaceFile(path, JSON.stringify(contact), 0o600, { outlivesCrash: true });
        last = key;
      } catch (error) {
        if (!hasFailed)
          log.info(`whom to trust as konductor could not be stored in ${path}: ${describeError(error)}`);
        hasFailed = true;
      }
    },
  };
}

/** An environment and an answer may write the same in different ways. */
function keyOf({ ca, urls }: Contact): string {
  return JSON.stringify([ca?.trim(), urls.map((url) => new URL(url).origin)]);
}

function parseTrust(text: string): Contact {
  const object = parseObject(text);
  const [ca, urls] = [wordOf(object["ca"]), wordsOf(object["urls"])];
  if (ca === undefined || !areCertificates(ca)) throw new Error("it holds no PEM bundle");
  if (!urls.every(isHttps)) throw new Error("an address is no https URL");
  return { ca, urls };
}
