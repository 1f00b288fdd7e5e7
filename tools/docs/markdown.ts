/** Small parts of the pages that are made from the sources. */

/** Says in the page's source where the page comes from. */
export const FROM = (origin: string) => `<!-- Made from ${origin} by \`make docs\`: change that instead. -->`;

/** `words` as a table's cell: what looks like HTML, or ends the cell, is text. */
export const cell = (words: string) => words.replaceAll("|", "\\|").replaceAll("<", "&lt;");
