/** Why a TLS handshake failed, in words that say what to mend. */
import { escapeText } from '../link/answers.js';

const FOREIGN = "the server's certificate does not come from the configured ca";

/** What OpenSSL's and Node's codes mean here; their own texts name source files. */
const CAUSES: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server does not speak TLS',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the server does not speak TLS 1.3',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the server does not speak TLS 1.3',
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  CERT_NOT_YET_VALID: "the server's certificate is not yet valid",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: FOREIGN,
  UNABLE_TO_GET_ISSUER_CERT: FOREIGN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: FOREIGN,
  CERT_SIGNATURE_FAILURE: FOREIGN,
  SELF_SIGNED_CERT_IN_CHAIN: FOREIGN,
  DEPTH_ZERO_SELF_SIGNED_CERT: FOREIGN,
};

/** Of OpenSSL's errors and of a wrong name, `reason` is the part that is meant for people. */
type TlsError = NodeJS.ErrnoException & { readonly reason?: string };

export function describeTlsFailure(error: TlsError): string {
  const { code = 'error', reason, message } = error;
  return escapeText(`TLS failed: ${CAUSES[code] ?? reason ?? message} (${code})`);
}
