export { writeAtomically } from './atomic-file.js';
export { codeOf, type Disk, localDisk } from './disk.js';
export { lives, type ProcessIdentity, thisProcess } from './process-identity.js';
