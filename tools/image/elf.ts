/**
 * What the build must know of an ELF file (System V gABI, 64 bits, little-endian): for which processor it is, and what it loads, in which
 * versions of symbols (LSB Core, "Symbol Versioning"). The file's own machine is not asked, as `ldd` would have to, so it may be another
 * than this one.
 */

/** `e_machine` by Go's name of the architecture. */
export const ELF_MACHINE = { amd64: 62, arm64: 183 } as const;

export interface ElfFile {
  readonly machine: number;
  /** A program's loader, an absolute path. */
  readonly interpreter: string | undefined;
  /** The libraries that it names itself; those have further ones. */
  readonly needed: readonly string[];
  /** The versions of symbols without which its loader refuses to start it, such as GLIBC_2.28 of libc.so.6. */
  readonly neededVersions: readonly { readonly library: string; readonly version: string }[];
  /** The versions of symbols that it has for others. */
  readonly definedVersions: readonly string[];
  /** Where the last byte ends that is loaded. */
  readonly loadedBytes: number;
}

const HEADER = {
  machine: 18,
  phoff: 32,
  shoff: 40,
  phentsize: 54,
  phnum: 56,
  shnum: 60,
  shstrndx: 62,
} as const;
const SEGMENT_BYTES = 56;
const SEGMENT = { load: 1, dynamic: 2, interpreter: 3 } as const;
const DYNAMIC = {
  end: 0,
  needed: 1,
  strings: 5,
  definedVersions: 0x6ffffffc,
  neededVersions: 0x6ffffffe,
} as const;
const WEAK = 2;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

/** Throws one sentence with `name` in it if `file` is no such file, or is damaged where it is read. */
export function readElf(file: Buffer, name: string): ElfFile {
  if (file.subarray(0, 6).toString("latin1") !== "\x7fELF\x02\x01") {
    throw new Error(`${name} is no ELF file of 64 bits, little-endian`);
  }
  try {
    return parse(file);
  } catch (error) {
    throw new Error(`${name} is a damaged ELF file: ${String(error)}`, { cause: error });
  }
}

/** A copy without what is never loaded, symbol tables and section headers: a sixth of Node. */
export function onlyLoaded(file: Buffer, { loadedBytes }: ElfFile): Buffer {
  const copy = Buffer.from(file.subarray(0, loadedBytes));
  copy.writeBigUInt64LE(0n, HEADER.shoff);
  copy.writeUInt16LE(0, HEADER.shnum);
  copy.writeUInt16LE(0, HEADER.shstrndx);
  return copy;
}

function parse(file: Buffer): ElfFile {
  const segments = readSegments(file);
  const interpreter = segments.find(({ type }) => type === SEGMENT.interpreter);
  const dynamic = readDynamic(file, segments);
  const value = (wanted: number) => dynamic.find(({ tag }) => tag === wanted)?.value;
  const strings = value(DYNAMIC.strings);
  const name = (offset: number) => textAt(file, fileOffset(segments, strings) + offset);
  const tableOf = (tag: number) => {
    const address = value(tag);
    return address === undefined ? undefined : fileOffset(segments, address);
  };
  return {
    machine: file.readUInt16LE(HEADER.machine),
    interpreter: interpreter && textAt(file, interpreter.offset),
    needed: dynamic.filter(({ tag }) => tag === DYNAMIC.needed).map((entry) => name(entry.value)),
    neededVersions: readNeededVersions(file, tableOf(DYNAMIC.neededVersions), name),
    definedVersions: readDefinedVersions(file, tableOf(DYNAMIC.definedVersions), name),
    loadedBytes: Math.max(0, ...segments.map(({ offset, bytes }) => offset + bytes)),
  };
}

function readSegments(file: Buffer): Segment[] {
  const size = file.readUInt16LE(HEADER.phentsize);
  if (size !== SEGMENT_BYTES) throw new RangeError(`its segment headers have ${size} bytes`);
  const start = u64(file, HEADER.phoff);
  return Array.from({ length: file.readUInt16LE(HEADER.phnum) }, (_, index) => {
    const at = start + index * SEGMENT_BYTES;
    const segment = {
      type: file.readUInt32LE(at),
      offset: u64(file, at + 8),
      address: u64(file, at + 16),
      bytes: u64(file, at + 32),
    };
    const end = segment.offset + segment.bytes;
    if (end > file.length) throw new RangeError(`it ends at byte ${file.length}, its segments at ${end}`);
    return segment;
  });
}

function readDynamic(file: Buffer, segments: readonly Segment[]): { tag: number; value: number }[] {
  const segment = segments.find(({ type }) => type === SEGMENT.dynamic);
  const entries = [];
  for (let at = segment?.offset ?? 0; segment && at < segment.offset + segment.bytes; at += 16) {
    const tag = u64(file, at);
    if (tag === DYNAMIC.end) break;
    entries.push({ tag, value: u64(file, at + 8) });
  }
  return entries;
}

/** Verneed and Vernaux. */
function readNeededVersions(file: Buffer, table: number | undefined, name: (offset: number) => string) {
  return chain(file, table, 12).flatMap((need) => {
    const library = name(file.readUInt32LE(need + 4));
    return chain(file, need + file.readUInt32LE(need + 8), 12)
      .filter((version) => (file.readUInt16LE(version + 4) & WEAK) === 0)
      .map((version) => ({ library, version: name(file.readUInt32LE(version + 8)) }));
  });
}

/** Verdef, and the first Verdaux of each: further ones name its parents. */
function readDefinedVersions(file: Buffer, table: number | undefined, name: (offset: number) => string) {
  return chain(file, table, 16).map((definition) => {
    return name(file.readUInt32LE(definition + file.readUInt32LE(definition + 12)));
  });
}

/** Where the records of a list are whose field at `next` has the way to the next record, or 0. */
function chain(file: Buffer, first: number | undefined, next: number): number[] {
  const records: number[] = [];
  let at = first;
  while (at !== undefined) {
    records.push(at);
    const step = file.readUInt32LE(at + next);
    at = step === 0 ? undefined : at + step;
  }
  return records;
}

/** Where in the file the byte is that is loaded at `address`. */
function fileOffset(segments: readonly Segment[], address = Number.NaN): number {
  const segment = segments.find(
    ({ type, ...each }) =>
      type === SEGMENT.load && address >= each.address && address < each.address + each.bytes,
  );
  if (!segment) throw new RangeError(`no segment has the address ${address}`);
  return segment.offset + address - segment.address;
}

function u64(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at));
}

function textAt(file: Buffer, at: number): string {
  const end = at < file.length ? file.indexOf(0, at) : -1;
  if (end < 0) throw new RangeError(`no text ends behind byte ${at}`);
  return file.toString("latin1", at, end);
}
