/** What is counted by whoever does it, and what the page is. */
import { describe, expect, test } from "vitest";
import { createMetrics } from "../../../src/metrics/metrics.ts";
import { aRequest } from "../lease/samples.ts";
import { counted, countedMetrics, samplesOf } from "./scraped.ts";

describe("calls to the API server", () => {
  test("are counted by verb and status; one without an answer, too", async () => {
    const metrics = countedMetrics();
    metrics.onKubeCall({ verb: "get", status: 200 });
    metrics.onKubeCall({ verb: "get", status: 200 });
    metrics.onKubeCall({ verb: "update", status: 409 });
    metrics.onKubeCall({ verb: "list", status: undefined });
    expect(await counted(metrics)).toEqual({
      'kube_requests_total{verb="get",code="200"}': 2,
      'kube_requests_total{verb="update",code="409"}': 1,
      'kube_requests_total{verb="list",code="none"}': 1,
    });
  });

  test("make no series of what a proxy makes up", async () => {
    const metrics = countedMetrics();
    for (let status = 600; status < 1_000; status++) metrics.onKubeCall({ verb: "get", status });
    expect(await counted(metrics)).toEqual({ 'kube_requests_total{verb="get",code="other"}': 400 });
  });
});

test("answers of admission, those about other objects under one name", async () => {
  const metrics = countedMetrics();
  metrics.onAdmissionAnswered({ kind: "Pod", verdict: "patched", tookMs: 200 });
  metrics.onAdmissionAnswered({ kind: undefined, verdict: "error", tookMs: 1_000 });
  expect(await counted(metrics)).toEqual({
    'admission_duration_seconds_count{kind="Pod",verdict="patched"}': 1,
    'admission_duration_seconds_sum{kind="Pod",verdict="patched"}': 0.2,
    'admission_duration_seconds_count{kind="other",verdict="error"}': 1,
    'admission_duration_seconds_sum{kind="other",verdict="error"}': 1,
  });
});

test("what an alert counts is there before it happens", async () => {
  const samples = samplesOf(await countedMetrics().page.text());
  expect(samples).toMatchObject({
    'konductor_holds_ended_total{reason="Fenced"}': 0,
    'konductor_admission_duration_seconds_count{kind="Pod",verdict="error"}': 0,
    konductor_renewals_late_total: 0,
    konductor_memory_limit_bytes: 512 << 20,
    'konductor_build_info{version="1.2.3"}': 1,
  });
});

test("times of day in the wrong order, or a renewal that came too late, make no sum fall", async () => {
  const metrics = countedMetrics();
  metrics.arbiter.waited("granted", -5, aRequest());
  metrics.arbiter.handedOver(-5);
  metrics.holds.renewed({ leftMs: -500, isLate: true });
  expect(await counted(metrics)).toEqual({
    'wait_duration_seconds_count{outcome="granted"}': 1,
    handover_duration_seconds_count: 1,
    renewal_margin_seconds_count: 1,
    renewals_late_total: 1,
  });
});

test("the page is made at most once a second, however many ask", async () => {
  let nowMs = 0;
  const metrics = createMetrics({ version: "1", memoryBytes: 1, clock: { monotonicMs: () => nowMs } });
  const grants = async () => samplesOf(await metrics.page.text())["konductor_grants_total"];
  expect(await grants()).toBe(0);
  metrics.holds.granted();
  nowMs = 999;
  expect(await grants()).toBe(0);
  nowMs = 1_000;
  expect(await grants()).toBe(1);
});
