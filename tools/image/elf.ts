/**
 * What the build must know of an ELF file (System V gABI, 64 bits, little-endian): for which processor it is, and what it loads. The file's
 * own machine is not asked, as `ldd` would have to, so it may be another than this one.
 */

/** `e_machine` by Go's name of the architecture. */
export const ELF_MACHINE = { amd64: 62, arm64: 183 } as const;

export interface ElfFile {
  readonly machine: number;
  /** A program's loader, an absolute path. */
  readonly interpreter: string | undefined;
  /** The libraries that it names itself; those have further ones. */
  readonly needed: readonly string[];
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
const DYNAMIC = { end: 0, needed: 1, strings: 5 } as const;

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
  return {
    machine: file.readUInt16LE(HEADER.machine),
    interpreter: interpreter && textAt(file, interpreter.offset),
    needed: readNeeded(file, segments),
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

function readNeeded(file: Buffer, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic);
  if (!dynamic) return [];
  const entries: { tag: number; value: number }[] = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.bytes; at += 16) {
    const tag = u64(file, at);
    if (tag === DYNAMIC.end) break;
    entries.push({ tag, value: u64(file, at + 8) });
  }
  const needed = entries.filter(({ tag }) => tag === DYNAMIC.needed);
  if (needed.length === 0) return [];
  const strings = entries.find(({ tag }) => tag === DYNAMIC.strings)?.value ?? Number.NaN;
  const segment = segments.find(
    ({ type, address, bytes }) => type === SEGMENT.load && strings >= address && strings < address + bytes,
  );
  if (!segment) throw new RangeError("the names of its libraries are in no segment");
  const start = segment.offset + strings - segment.address;
  return needed.map(({ value }) => textAt(file, start + value));
}

function u64(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at));
}

function textAt(file: Buffer, at: number): string {
  const end = at < file.length ? file.indexOf(0, at) : -1;
  if (end < 0) throw new RangeError(`no text ends behind byte ${at}`);
  return file.toString("latin1", at, end);
}
