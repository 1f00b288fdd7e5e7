/** Open TCP connections from pods to the API server. The node's kernel knows them, because the API server listens there. */

export interface ApiConnection {
  /** The pod's port. */
  podPort: number;
  /** How long ago the API server last received data on the connection, and last sent some. */
  requestedAgoMs: number;
  answeredAgoMs: number;
}

/** The arguments with which `ss` lists the connections of one pod, one per line. */
export function listConnections(podIp: string, apiServerPort: number): string[] {
  return ["-HOtin", "state", "established", `( sport = :${apiServerPort} and dst = ${podIp} )`];
}

/** Parses the output of `ss`. Throws if a line has no port. */
export function parseConnections(output: string): ApiConnection[] {
  return output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const port = /^(?:\S+\s+){3}\S+:(\d+)\s/.exec(`${line.trim()} `)?.[1];
      if (port === undefined) throw new Error(`ss names no connection in ${line}`);
      // `ss` leaves out fields that are 0.
      const agoMs = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
      return { podPort: Number(port), requestedAgoMs: agoMs("lastrcv"), answeredAgoMs: agoMs("lastsnd") };
    });
}
