export const KUBERNETES_VERSION = "v1.37.2";

/** Where the Kubernetes project publishes its binaries: `<base>/VERSION/bin/linux/ARCH/NAME`, each with `NAME.sha256` beside it. */
export const RELEASE_BASE_URL = "https://dl.k8s.io/release";
