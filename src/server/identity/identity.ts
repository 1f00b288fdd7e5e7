/** Which pod a caller is, as the API server vouches for it: nothing the caller says of itself. */
export interface PodIdentity {
  namespace: string;
  /** Name and uid of the pod that the token is bound to. */
  name: string;
  uid: string;
  serviceAccount: string;
}

/**
 * Tells from a bearer token which pod its sender is. Throws a KonductorError: Unauthenticated with one sentence about what is
 * wrong with the token, or NotReady when the API server could not be asked.
 */
export type Authenticate = (token: string) => Promise<PodIdentity>;

/**
 * The same by the token's signature alone, which outlives its pod. It proves who the sender is, not that the pod still exists, and is good
 * only for ending the pod's own hold.
 */
export type VerifySignature = Authenticate;
