/** What is known of the processes of a pod's containers. */

/** One run of a container, from start to exit. */
export type Run = RunningRun | ExitedRun;

export interface RunningRun {
  readonly state: "running";
  readonly id: string;
  /** 0 for the first run. */
  readonly attempt: number;
  readonly startedAtMs: number;
}

export interface ExitedRun {
  readonly state: "exited";
  readonly id: string;
  readonly attempt: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** `Completed`, `Error` or `StartError`. */
  readonly reason: string;
  readonly message?: string;
}

export interface ContainerRuns {
  readonly latest: Run;
  /** The previous run. */
  readonly previous?: ExitedRun;
}

/** By container name; a container that was never started is absent. */
export type PodRuns = ReadonlyMap<string, ContainerRuns>;
