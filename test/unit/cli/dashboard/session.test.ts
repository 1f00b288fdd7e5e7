import { expect, test } from "vitest";
import { takeToken } from "../../../../src/cli/dashboard/page/session.ts";

function aWindow(hash: string) {
  const stored = new Map<string, string>();
  const urls: string[] = [];
  return {
    urls,
    location: { hash, pathname: "/" },
    history: { replaceState: (_data: null, _unused: "", url: string) => void urls.push(url) },
    sessionStorage: {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
    },
  };
}

test("the token leaves the address, and a reload still finds it", () => {
  const window = aWindow("#s3cret");
  expect(takeToken(window)).toBe("s3cret");
  expect(window.urls).toEqual(["/"]);
  expect(takeToken({ ...window, location: { hash: "", pathname: "/" } })).toBe("s3cret");
});

test("an address without a token has none", () => {
  expect(takeToken(aWindow(""))).toBeUndefined();
});
