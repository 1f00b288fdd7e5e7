/** Open TCP connections from pods to the API server, as the kernel of the node knows them: the API server listens there. */

export interface ApiConnection {
  /** The pod's end. */
  podPort: number;
  /** How long ago the API server last got something by it, and last said something. */
  requestedAgoMs: number;
  answeredAgoMs: number;
}

/** The arguments of `ss` that list those of one pod, one a line. */
export function listConnections(podIp: string, apiServerPort: number): string[] {
  return ["-HOtin", "state", "established", `( sport = :${apiServerPort} and dst = ${podIp} )`];
}

/** Of what `ss` said. Throws where a line names no port. */
export function parseConnections(output: string): ApiConnection[] {
  return output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const port = /^(?:\S+\s+){3}\S+:(\d+)\s/.exec(`${line.trim()} `)?.[1];
      if (port === undefined) throw new Error(`ss names no connection in ${line}`);
      // It leaves out what is 0.
      const agoMs = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
      return { podPort: Number(port), requestedAgoMs: agoMs("lastrcv"), answeredAgoMs: agoMs("lastsnd") };
    });
}
