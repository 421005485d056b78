/** The configuration of a relay that a service runs, for whoever looks at it by hand. */
import { type Config, loadConfig } from '../config/config.js';

/** Where systemd keeps the credentials of the unit of deploy/. */
const CREDENTIALS = '/run/credentials/tidegate.service';

/** As the relay has it, where this is not said. */
export function installedEnvironment(): NodeJS.ProcessEnv {
  return { CREDENTIALS_DIRECTORY: CREDENTIALS, ...process.env };
}

/** @throws DocumentError with file:line:column, or an Error of the file system */
export function loadInstalled(file: string): Config {
  return loadConfig(file, installedEnvironment());
}
