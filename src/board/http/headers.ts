/** The headers that every answer has. */

/** No inline code, nothing from elsewhere, no form, no frame. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const METHODS = 'GET, HEAD, OPTIONS';

const STANDING = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy':
    'camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

export type Headers = Readonly<Record<string, string>>;

/**
 * @param secure whether it goes over TLS
 * @param api whether programs of other origins may read it
 */
export function standingHeaders(secure: boolean, api: boolean): Headers {
  return {
    ...STANDING,
    'Cross-Origin-Resource-Policy': api ? 'cross-origin' : 'same-origin',
    // RFC 6797: not to be sent without TLS.
    ...(secure ? { 'Strict-Transport-Security': 'max-age=31536000' } : {}),
    ...(api
      ? {
          'Access-Control-Allow-Origin': '*',
          'Access-Control-Expose-Headers': 'Date, ETag, Retry-After',
        }
      : {}),
  };
}

/** What a preflight is told. */
export const PREFLIGHT: Headers = {
  'Access-Control-Allow-Methods': METHODS,
  'Access-Control-Allow-Headers': 'Accept, Cache-Control, If-None-Match, Last-Event-ID',
  'Access-Control-Max-Age': '86400',
};
