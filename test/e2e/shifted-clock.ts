/** Loaded into a program before its own modules (`node --import`): shifts the wall clock by CLOCK_OFFSET_MS. Timers are unaffected. */
const offsetMs = Number(process.env["CLOCK_OFFSET_MS"]);
const RightDate = Date;

globalThis.Date = new Proxy(RightDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RightDate.now() + offsetMs] : args, newTarget),
  get: (target, property, receiver) =>
    property === "now" ? () => RightDate.now() + offsetMs : Reflect.get(target, property, receiver),
});
