import type { Plugin } from "esbuild";

const UNDICI = "node_modules/undici/lib";

/**
 * Leaves out what a short-lived program does not use: of @kubernetes/client-node everything but KubeConfig (most of it are generated clients, which
 * are never called), of undici everything but the dispatchers.
 */
export function slimPackages(root: string): Plugin {
  const modules: Readonly<Record<string, string>> = {
    undici: [
      `import Dispatcher from "./${UNDICI}/dispatcher/dispatcher.js";`,
      `import api from "./${UNDICI}/api/index.js";`,
      // As in undici's index.js.
      "Object.assign(Dispatcher.prototype, api);",
      `export { default as Agent } from "./${UNDICI}/dispatcher/agent.js";`,
      `export { default as ProxyAgent } from "./${UNDICI}/dispatcher/proxy-agent.js";`,
      `export { default as Socks5ProxyAgent } from "./${UNDICI}/dispatcher/socks5-proxy-agent.js";`,
    ].join("\n"),
    "@kubernetes/client-node": `export { KubeConfig } from "./node_modules/@kubernetes/client-node/dist/config.js";`,
    // KubeConfig.makeApiClient() would need these exports.
    "./gen/index.js": "export const createConfiguration = undefined, ServerConfiguration = undefined;",
  };
  return {
    name: "slim-packages",
    setup(build) {
      const names = /^(undici|@kubernetes\/client-node|\.\/gen\/index\.js)$/;
      build.onResolve({ filter: names }, ({ path }) => ({ path, namespace: "slim" }));
      build.onLoad({ filter: /.*/, namespace: "slim" }, ({ path }) => ({
        contents: modules[path] ?? "",
        resolveDir: root,
      }));
    },
  };
}
