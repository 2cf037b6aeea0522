export type { BatchColumns, JournalEntry, JournalLine, JournalNote } from './line.js';
export { createJournal, type OpenJournalOptions, type Reopened, reopenJournal } from './open.js';
export { type Journal, type ReadJournalOptions, readJournal } from './reader.js';
export type { Resolved } from './rewind.js';
export type { BrokenLine } from './scan.js';
export { type JournalCheck, verifyJournal } from './verify.js';
export { type FsyncPolicy, type JournalOptions, JournalWriter } from './writer.js';
