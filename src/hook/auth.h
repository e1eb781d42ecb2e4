/*
 * auth.h: is a request from whom the trigger's `auth` says? And is it one that came before?
 *
 * auth is the member of the trigger's config, with its secrets in their places:
 *
 *   {type: none}, or no auth at all
 *   {type: basic, username, password | passwords[]}
 *   {type: header, name, value | values[]}
 *   {type: hmac, scheme: standard|github|stripe|slack, secret | secrets[], tolerance}
 *       tolerance: seconds, or a duration as text; 300 by default, a week at most. github has no time.
 *   {type: jwt, algorithm: HS256|RS256|ES256, key | keys[] | jwks, audience: text | [text, ...], issuer}
 *       key: a public key in PEM (RSA of 2048 bits or more, P-256), or the shared secret of HS256, 32 bytes or more;
 *       jwks: {keys: [...]}, or its JSON as text.
 *
 * The plural forms are keys that are being rotated: any of them will do; at most 8, of a set 32. What is not understood is
 * refused, never let pass. Every secret is compared with everything that it could be compared with, in constant time, and
 * only then it is decided; reasons are for the owner of the trigger, and must not reach the caller.
 *
 * A token must have `exp`: one that has not would be a password for ever. `nbf` and `iat` are looked at if they are there,
 * with 60 seconds for clocks that differ. A token with `aud` is refused when the trigger names no audience (RFC 7519, 4.1.3).
 *
 * The delivery's id tells the same delivery from another. With a signature it is made of what is signed, so that no replay
 * can change it: webhook-id (standard), the body's `id` (stripe) or `event_id` (slack), otherwise a digest of all that is signed;
 * always a digest for github, so two deliveries with one body are one. Without a signature it is the header
 * idempotency-key, or webhook-id, if there is one. A text of more than 200 bytes is replaced by its digest.
 *
 * A signature can be replayed within the tolerance, and github's for ever: only who remembers ids refuses that.
 */
#ifndef WF_HOOK_AUTH_H
#define WF_HOOK_AUTH_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "hook/request.h"

#define WF_HOOK_ID_BYTES 200

typedef struct WfHookCheck
{
	const JsonbValue *auth;		/* NULL: none */
	const WfHookHeaders *headers;	/* never NULL */
	const char *body;			/* as it came; NULL only when there are no bytes */
	size_t		body_bytes;
	TimestampTz now;
} WfHookCheck;

typedef struct WfHookVerdict
{
	bool		accepted;
	bool		unusable;		/* not accepted because of the auth, whoever asks */
	const char *reason;			/* why not; NULL when it is accepted */
	const char *delivery_id;	/* when accepted; NULL: it has none */
	Jsonb	   *claims;			/* of the token, when accepted; NULL: there is none */
} WfHookVerdict;

/* Fills *out, in CurrentMemoryContext. Throws for memory only. */
extern void wf_hook_check(const WfHookCheck *in, WfHookVerdict *out);

#endif
