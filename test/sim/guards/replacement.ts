/** A module of the real code with some exports replaced before it is loaded. */
export interface Replacement {
  /** The path from the project's root. */
  path: string;
  replace(load: <T>() => Promise<T>): Promise<object>;
}

/** `Module` is the type of the module at `path`. Its other exports stay as they are. */
export function replaced<Module extends object>(
  path: string,
  instead: (real: Module) => Partial<Module>,
): Replacement {
  return {
    path,
    async replace(load) {
      const real = await load<Module>();
      return { ...real, ...instead(real) };
    },
  };
}
