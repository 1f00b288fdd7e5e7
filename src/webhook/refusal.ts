import { KonductorError } from "../shared/errors.ts";

/**
 * An answer for the caller: its code and message are sent as they are. Every other error is konductor's own trouble, also one with
 * the code of an API server's answer (a Forbidden of the API server to us says nothing about the caller).
 */
export class Refusal extends KonductorError {}
