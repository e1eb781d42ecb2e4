/*
 * compose.h: from a request as rows have it (src/block/README.md, *The request object*) to one that src/net/ sends, and from
 * what came of that to what the run gets. Private to this room. No SQL, no transaction: all that is needed is handed in.
 */
#ifndef WF_DISPATCH_COMPOSE_H
#define WF_DISPATCH_COMPOSE_H

#include "postgres.h"
#include "base/error.h"
#include "base/json.h"
#include "base/secret_marker.h"
#include "dispatch/mask.h"
#include "net/net.h"
#include "utils/uuid.h"

typedef struct WfCompose
{
	const JsonbValue *request;	/* the request object */
	pg_uuid_t	tenant_id;
	pg_uuid_t	request_id;		/* Idempotency-Key, webhook-id: the same for every attempt */
	const char *trace;			/* the run's correlation, or its id when it has none */
	int			attempt;		/* of this one, from 1 */
	int64		now_unix_ms;
	const WfSecretValue *secrets;	/* of the names in the request's "secrets" */
	int			n_secrets;
	const char *access_token;	/* auth of type oauth2: the token; else NULL */
	uint64		secrets_age;	/* grows each time that secrets change: a token that was asked for with older ones is none for this */
} WfCompose;

/*
 * Fills *out but for id and policy. NULL, or why it cannot be sent: 22023 (a secret's value breaks a header or an address, a
 * body is not what bodyType says), WF013 (a marker without a value), WF006 (too large), 55000 (mail without
 * workflow.smtp_url, oauth2 without access_token, a database that is not in UTF8). Messages hold
 * nothing of a secret. All of *out is in a memory context of its own below CurrentMemoryContext: wf_compose_wipe deletes it
 * when net has its copy, with every secret in it wiped, and clears *out; so does the end of CurrentMemoryContext. When there
 * is an error, *out is all zero.
 */
extern WfError *wf_compose(const WfCompose *in, WfNetRequest *out);
extern void wf_compose_wipe(WfNetRequest *request);
/* What net's copy of it takes, about. */
extern size_t wf_compose_bytes(const WfNetRequest *request);

/* Method, host ("name:port", of mail that of the relay) and path (without query; NULL for mail) as views show them, and as
 * circuits and limits know a host. In place of a secret there is ***: of the whole host, or within the path. A host is
 * "invalid" when the address is, and "none" when there is no relay. In CurrentMemoryContext. */
typedef struct WfRequestFace
{
	const char *method;
	const char *host;
	const char *path;
} WfRequestFace;
extern void wf_compose_face(const JsonbValue *request, WfRequestFace *out);

/* -- answers (answer.c) -- */

/* What came of an attempt. */
typedef struct WfAnswer
{
	bool		failed;
	Jsonb	   *output;			/* {status, headers, body, url, attempts, durationMs}; NULL when failed */
	WfError    *error;			/* when failed: WF006, WF010, WF011; details {status, contentType, body, url} as far as there are any */
	int			status;			/* 0: none came */
	bool		is_retryable;	/* by its kind: no connection, broken, timed out, overloaded; 408, 425, 429, 500, 502, 503, 504; of
								 * mail any 4xx */
	bool		counts_against_host;	/* for the circuit: the host did not answer, or answered 5xx or 429 */
} WfAnswer;
/* `attempts` and `duration_ms` are of all attempts together. In CurrentMemoryContext. Secrets that the server sends back are ***,
 * as far as the mask (or NULL) finds them; the body of the result is masked where it is. */
extern void wf_answer_read(const JsonbValue *request, WfNetResult *result, int attempts, double duration_ms, const WfMask *mask,
						   WfAnswer *out);

/* -- OAuth2 (token.c) -- */

/* The access token for this request, if it is known and valid for a while still (in memory that is wiped with CurrentMemoryContext); else NULL. *key names it, and is NULL when
 * the request's auth is none of oauth2; in CurrentMemoryContext. Sets *problem as wf_compose does. */
extern const char *wf_token_find(const WfCompose *in, char **key, WfError **problem);
/* The request that asks the token's server for it; id and policy are the caller's. */
extern WfError *wf_token_compose(const WfCompose *in, WfNetRequest *out);
/* Its answer, which is wiped: kept under the key, with the age of the secrets that were sent, until it expires; NULL, or why there is none (WF010, WF011; *is_retryable as in WfAnswer,
 * and true the first time that the server does not take the client's word in the header: the next request has it in the body). When the server has given a new
 * refresh token, *refresh is that, in memory of wf_secret_alloc, for the caller to keep where the old one came from. */
extern WfError *wf_token_take(const char *key, uint64 age, const WfNetResult *result, int64 now_unix_ms, bool *is_retryable, char **refresh);
/* It was refused (401): the next request asks for a new one. True when there was one, older than some seconds. */
extern bool wf_token_forget(const char *key, int64 now_unix_ms);
/* All of them, when settings or secrets may have changed. */
extern void wf_token_forget_all(void);

#endif
