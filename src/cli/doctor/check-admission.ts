/** CRDs, webhooks, policies, and whether the API server trusts what answers its webhooks. Pure. */
import { X509Certificate } from "node:crypto";
import { formatAge } from "../../shared/age.ts";
import { list, record, text, textMap } from "../../shared/json.ts";
import { VERSION } from "../../shared/names.ts";
import { certificatesIn } from "../../shared/pem.ts";
import { ifKnown, type Known } from "../known.ts";
import { enumerate } from "../why/wording.ts";
import { containerOf } from "./deployment.ts";
import { differences } from "./differences.ts";
import { APPLY_AGAIN, type Finding, fail, ok, unknown, warn } from "./finding.ts";
import type { ApiObject, Install } from "./install.ts";
import { exemptNamespaces, type ShippedObject, shippedObjects } from "./shipped.ts";

const APPLY = "install konductor (kubectl apply -k deploy)";

export function checkCrds({ crds, servedVersions }: Install): Finding[] {
  if (!servedVersions.includes(VERSION)) {
    return [fail("crds", "the API server does not serve konductor.io/v1", APPLY)];
  }
  return crds.map(({ name, object }) => {
    if (object.is === "unread")
      return unknown("crds", `konductor.io/v1 is served; what is stored of ${name} is`, object);
    if (object.is === "missing") return fail("crds", `${name} is missing`, APPLY_AGAIN);
    const { spec, status } = object.value;
    const versions = list(record(spec)["versions"]).map(record);
    const isServed = versions.some(
      (each) => each["name"] === VERSION && each["served"] === true && each["storage"] === true,
    );
    const stored = list(record(status)["storedVersions"]);
    const isReady = list(record(status)["conditions"])
      .map(record)
      .some((each) => each["type"] === "Established" && each["status"] === "True");
    if (!isServed || !isReady)
      return fail("crds", `${name} is not served and stored as ${VERSION}`, APPLY_AGAIN);
    const others = stored.filter((each) => each !== VERSION);
    return others.length > 0
      ? warn(
          "crds",
          `${name} may be stored as ${others.join(", ")}, too`,
          "have its objects stored anew before that version goes",
        )
      : ok("crds", `${name} is served and stored as ${VERSION}`);
  });
}

/** Webhook configuration and policies as this version ships them; `isOtherVersion`: konductor is of another version than koncli. */
export function checkShipped(install: Install, isOtherVersion: boolean): Finding[] {
  const { namespace, webhook, policies, bindings } = install;
  const shipped = shippedObjects(namespace, exemptNamespaces(ifKnown(webhook), namespace));
  const webhooks: Known<readonly ApiObject[]> =
    webhook.is === "known" ? { is: "known", value: [webhook.value] } : webhook;
  const of = (kind: string) => shipped.filter((each) => each.kind === kind);
  const options = { isOtherVersion, version: install.koncliVersion };
  return [
    compareAll(
      "webhook",
      "MutatingWebhookConfiguration",
      of("MutatingWebhookConfiguration"),
      webhooks,
      options,
    ),
    compareAll("policies", "ValidatingAdmissionPolicy", of("ValidatingAdmissionPolicy"), policies, options),
    compareAll(
      "bindings",
      "ValidatingAdmissionPolicyBinding",
      of("ValidatingAdmissionPolicyBinding"),
      bindings,
      options,
    ),
  ];
}

function compareAll(
  check: string,
  kind: string,
  shipped: readonly ShippedObject[],
  live: Known<readonly ApiObject[]>,
  { isOtherVersion, version }: { isOtherVersion: boolean; version: string },
): Finding {
  if (live.is === "unread") return unknown(check, `whether each ${kind} is as shipped is`, live);
  const found = new Map(
    (ifKnown(live) ?? []).map((object) => [text(record(object["metadata"])["name"]), object]),
  );
  const missing = shipped.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  if (missing.length > 0) return fail(check, `${kind} ${missing.join(", ")} is missing`, APPLY_AGAIN);
  const changed = shipped.flatMap(({ name, object }) => {
    const { webhooks, spec } = record(found.get(name));
    const paths = [
      ...differences(object["webhooks"], webhooks, "webhooks"),
      ...differences(object["spec"], spec, "spec"),
    ];
    return paths.length === 0
      ? []
      : [`${name} (${paths.slice(0, 3).join(", ")}${paths.length > 3 ? ", …" : ""})`];
  });
  if (changed.length === 0) return ok(check, `${shipped.length} of ${shipped.length} ${kind} as shipped`);
  const message = `${kind} ${enumerate(changed)} differs from what version ${version} ships`;
  return isOtherVersion
    ? warn(check, message, "use the koncli of konductor's own version to compare them")
    : fail(check, message, APPLY_AGAIN);
}

/** The ConfigMap by which policy konductor-pods knows konductor's own image. */
export function checkInjection({ injection, deployment, namespace }: Install): Finding {
  if (injection.is === "unread")
    return unknown("image", "the image that labelled pods may run is", injection);
  if (injection.is === "missing") {
    return fail(
      "image",
      `ConfigMap ${namespace}/konductor-injection is missing, so every labelled pod is refused`,
      APPLY_AGAIN,
    );
  }
  const allowed = textMap(injection.value["data"])["image"] ?? "";
  const used = injectedImage(ifKnown(deployment));
  if (used === undefined) return ok("image", `labelled pods may run ${allowed}`);
  return repository(allowed) === repository(used)
    ? ok("image", `gate and keeper run ${used}, which the policy allows`)
    : fail("image", `gate and keeper run ${used}, but the policy allows ${repository(allowed)}`, APPLY_AGAIN);
}

/** KONDUCTOR_IMAGE of the Deployment, or its own image. */
function injectedImage(deployment: ApiObject | undefined): string | undefined {
  const container = containerOf(deployment);
  const variable = list(container["env"])
    .map(record)
    .find(({ name }) => name === "KONDUCTOR_IMAGE");
  return text(variable?.["value"]) ?? text(container["image"]);
}

function repository(image: string): string {
  const [undigested = ""] = image.split("@");
  const colon = undigested.lastIndexOf(":");
  return colon > undigested.lastIndexOf("/") ? undigested.slice(0, colon) : undigested;
}

/** The CA bundle of the webhooks, against the Secret's, or else by whether a call of the API server was answered. */
export function checkCaBundle({ webhook, secret, secretName, trial, namespace }: Install): Finding {
  if (webhook.is === "unread") return unknown("ca-bundle", "the webhooks' caBundle is", webhook);
  const bundles = list(ifKnown(webhook)?.["webhooks"]).map((each) =>
    text(record(record(each)["clientConfig"])["caBundle"]),
  );
  const todo = `konductor writes it, unless --write-ca-bundle=false leaves that to others; see kubectl -n ${namespace} logs deployment/konductor`;
  if (bundles.length === 0 || bundles.some((each) => each === undefined)) {
    return fail("ca-bundle", "a webhook has no caBundle, so that the API server trusts nobody there", todo);
  }
  if (secret.is === "missing") return fail("ca-bundle", `Secret ${namespace}/${secretName} is missing`, todo);
  const own = decodedCertificates(textMap(ifKnown(secret)?.["data"])["ca.crt"]).map(idOf);
  if (own.length > 0) {
    // Certificates that are not konductor's any more may stay there for as long as they are valid.
    const isTrusted = bundles.every((bundle) => {
      const trusted = decodedCertificates(bundle).map(idOf);
      return own.every((id) => trusted.includes(id));
    });
    return isTrusted
      ? ok("ca-bundle", `caBundle has ca.crt of Secret ${secretName}`)
      : fail("ca-bundle", `caBundle lacks ca.crt of Secret ${secretName}`, todo);
  }
  if (trial.is === "accepted") return ok("ca-bundle", "the API server trusts what answers its webhook call");
  const why = secret.is === "unread" ? secret.why : `Secret ${secretName} has no ca.crt`;
  return warn(
    "ca-bundle",
    `caBundle could not be compared: ${why}, and no webhook call was answered`,
    "have somebody look who may",
  );
}

const idOf = (certificate: X509Certificate) => certificate.fingerprint256;

/** By when the certificates end: a serving certificate is renewed at two thirds of its life. */
export function checkCertificate({ secret, secretName, webhook, clocks, namespace }: Install): Finding {
  const nowMs = clocks.serverMs;
  const serving = decodedCertificates(textMap(ifKnown(secret)?.["data"])["tls.crt"]);
  const [first] = list(ifKnown(webhook)?.["webhooks"]);
  const bundle = decodedCertificates(text(record(record(first)["clientConfig"])["caBundle"]));
  const todo = `see what konductor logs: kubectl -n ${namespace} logs deployment/konductor`;
  const [leaf] = serving;
  if (leaf) {
    const life = lifeOf(leaf);
    const left = life.endMs - nowMs;
    if (left <= 0) return fail("certificate", `the serving certificate ended ${formatAge(-left)} ago`, todo);
    return left < (life.endMs - life.beginMs) / 6
      ? warn(
          "certificate",
          `the serving certificate ends in ${formatAge(left)}, and was not renewed in time`,
          todo,
        )
      : ok("certificate", `the serving certificate lasts ${formatAge(left)} more`);
  }
  if (bundle.length > 0) {
    const left = Math.max(...bundle.map((each) => lifeOf(each).endMs)) - nowMs;
    return left > 0
      ? ok(
          "certificate",
          `the CA lasts ${formatAge(left)} more; the serving certificate is not known (Secret ${secretName})`,
        )
      : fail("certificate", `the CA ended ${formatAge(-left)} ago`, todo);
  }
  if (secret.is === "unread") return unknown("certificate", "the certificate's life is", secret);
  return fail("certificate", `there is no certificate in Secret ${namespace}/${secretName}`, todo);
}

function lifeOf(certificate: X509Certificate): { beginMs: number; endMs: number } {
  return { beginMs: Date.parse(certificate.validFrom), endMs: Date.parse(certificate.validTo) };
}

/** Those in base64 of PEM; none if it is damaged. */
function decodedCertificates(data: string | undefined): X509Certificate[] {
  const pem = Buffer.from(data ?? "", "base64").toString();
  try {
    return certificatesIn(pem).map((each) => new X509Certificate(each));
  } catch {
    return [];
  }
}

/** Whether a LeaseRequest gets through: webhook, policies and konductor itself. */
export function checkTrial({ trial }: Install): Finding {
  switch (trial.is) {
    case "accepted":
      return ok("admission", "a LeaseRequest was tried, and konductor answered the API server");
    case "unread":
      return warn(
        "admission",
        `whether konductor answers the API server is not known: ${trial.why}`,
        "ask for ClusterRole konductor-user, or choose a namespace of yours (-n)",
      );
    case "refused":
      return fail(
        "admission",
        `a LeaseRequest was tried, and refused: ${trial.message}`,
        "konductor's pods must run, and the API server must reach their port 8443",
      );
  }
}
