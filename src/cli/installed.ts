/** The configuration of a relay that a service runs, for whoever looks at it by hand. */
import { type Config, loadConfig } from '../config/config.js';

/** Where systemd keeps the credentials of the unit of deploy/. */
const CREDENTIALS = '/run/credentials/tidegate.service';

/** @throws DocumentError with file:line:column, or an Error of the file system */
export function loadInstalled(file: string): Config {
  return loadConfig(file, { CREDENTIALS_DIRECTORY: CREDENTIALS, ...process.env });
}
