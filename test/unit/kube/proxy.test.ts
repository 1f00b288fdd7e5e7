/** The cases of golang.org/x/net/http/httpproxy that concern us. */
import { expect, test } from "vitest";
import { proxyFromEnvironment } from "../../../src/kube/proxy.ts";

const HTTPS_PROXY = "http://proxy:3128";

test.each<[string, Record<string, string>, string | undefined]>([
  ["https://api.example.com", {}, undefined],
  ["https://api.example.com", { HTTPS_PROXY }, HTTPS_PROXY],
  ["https://api.example.com", { https_proxy: HTTPS_PROXY }, HTTPS_PROXY],
  ["https://api.example.com", { HTTPS_PROXY: "proxy:3128" }, HTTPS_PROXY],
  ["https://api.example.com", { HTTP_PROXY: HTTPS_PROXY }, undefined],
  ["http://api.example.com", { HTTP_PROXY: HTTPS_PROXY }, HTTPS_PROXY],
  ["https://localhost:6443", { HTTPS_PROXY }, undefined],
  ["https://127.0.0.1:6443", { HTTPS_PROXY }, undefined],
  ["https://[::1]:6443", { HTTPS_PROXY }, undefined],
  ["https://api.example.com", { HTTPS_PROXY, NO_PROXY: "*" }, undefined],
  ["https://api.example.com", { HTTPS_PROXY, NO_PROXY: "other.com, example.com" }, undefined],
  ["https://api.example.com", { HTTPS_PROXY, no_proxy: "EXAMPLE.com" }, undefined],
  ["https://badexample.com", { HTTPS_PROXY, NO_PROXY: "example.com" }, HTTPS_PROXY],
  ["https://example.com", { HTTPS_PROXY, NO_PROXY: ".example.com" }, HTTPS_PROXY],
  ["https://api.example.com", { HTTPS_PROXY, NO_PROXY: "*.example.com" }, undefined],
  ["https://api.example.com:6443", { HTTPS_PROXY, NO_PROXY: "api.example.com:6443" }, undefined],
  ["https://api.example.com", { HTTPS_PROXY, NO_PROXY: "api.example.com:443" }, undefined],
  ["https://api.example.com", { HTTPS_PROXY, NO_PROXY: "api.example.com:6443" }, HTTPS_PROXY],
  ["https://10.1.2.3:6443", { HTTPS_PROXY, NO_PROXY: "10.0.0.0/8" }, undefined],
  ["https://10.1.2.3:6443", { HTTPS_PROXY, NO_PROXY: "10.2.0.0/16" }, HTTPS_PROXY],
  ["https://10.1.2.3:6443", { HTTPS_PROXY, NO_PROXY: "10.1.2.3" }, undefined],
  ["https://10.1.2.3:6443", { HTTPS_PROXY, NO_PROXY: "2.3" }, HTTPS_PROXY],
  ["https://[fd00::1]:6443", { HTTPS_PROXY, NO_PROXY: "fd00::/8" }, undefined],
  ["https://[fd00::1]:6443", { HTTPS_PROXY, NO_PROXY: "[fd00::1]:6443" }, undefined],
  ["https://10.1.2.3:6443", { HTTPS_PROXY, NO_PROXY: "10.0.0.0/99" }, HTTPS_PROXY],
])("%s, with %j: %s", (url, env, expected) => {
  expect(proxyFromEnvironment(url, env)).toBe(expected);
});
