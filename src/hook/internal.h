/*
 * internal.h: what the files of the room share. Private to hook/.
 */
#ifndef WF_HOOK_INTERNAL_H
#define WF_HOOK_INTERNAL_H

#include "postgres.h"
#include "base/crypt.h"
#include "base/json.h"
#include "hook/auth.h"

/* Bytes that may be anybody's; no NUL needs to follow. */
typedef struct WfHookText
{
	const char *data;
	size_t		bytes;
} WfHookText;

#define WF_HOOK_SECRETS 8		/* rotated keys of a trigger */

/* -- encodings (encoding.c) -- */

/* `.` or `..` */
extern bool wf_hook_is_dots(const char *text, size_t bytes);
/* A text of this database: UTF-8 without NUL; in a database of another encoding ASCII only. */
extern bool wf_hook_is_text(const char *bytes, size_t n);
/* Undoes percent-encoding into `out`, which has room for `bytes`; with `is_form`, + is a space. False: a % that is none. */
extern bool wf_hook_percent_decode(const char *text, size_t bytes, bool is_form, char *out, size_t *out_bytes);
/* In one line, ended by a NUL; `bytes` up to WF_HOOK_BODY_BYTES. */
extern char *wf_hook_base64(const void *data, size_t bytes);
/* 64 hexadecimal digits. */
extern void wf_hook_hex(const uint8 hash[WF_CRYPT_HASH_BYTES], char out[2 * WF_CRYPT_HASH_BYTES + 1]);
/* The bytes of base64url without padding, in the one way to write them; false for anything else, or when `out` has no room. */
extern bool wf_hook_base64url_decode(const char *text, size_t bytes, uint8 *out, size_t room, size_t *out_bytes);
/* The bytes of base64 with its padding, and with white space anywhere. */
extern bool wf_hook_base64_decode(const char *text, size_t bytes, uint8 *out, size_t room, size_t *out_bytes);
/* JSON that is valid UTF-8; NULL when it is none, or no value of jsonb. */
extern Jsonb *wf_hook_parse_json(const char *text, size_t bytes);
/* "sha256:" and 64 hexadecimal digits; NULL when OpenSSL can't. */
extern char *wf_hook_digest(const void *data, size_t bytes);

/* -- checks (auth.c) -- */

/* Note a refusal; false. */
extern bool wf_hook_refuse(WfHookVerdict *out, const char *fmt, ...) pg_attribute_printf(2, 3);
/* The same: what the trigger's auth says can't be used. */
extern bool wf_hook_unusable(WfHookVerdict *out, const char *fmt, ...) pg_attribute_printf(2, 3);
/* A header that must have come once, and not be empty; otherwise false, and the refusal is noted. */
extern bool wf_hook_need_header(const WfHookCheck *in, const char *name, WfHookText *value, WfHookVerdict *out);
/*
 * The texts of member `one`, or of the list `many`: at least one, none of them empty. Borrowed. False, and the refusal is
 * noted, when that is not so.
 */
extern bool wf_hook_secrets(const JsonbValue *auth, const char *one, const char *many, WfHookText *secrets, int *n,
							WfHookVerdict *out);
/* Are they the same? In a time that tells their lengths at most. */
extern bool wf_hook_is_same(const void *a, size_t a_bytes, const void *b, size_t b_bytes);
/* `now` in seconds as Unix counts them. */
extern int64 wf_hook_unix_seconds(TimestampTz now);

/* Each returns whether the request passes; if not, the refusal is noted. */
extern bool wf_hook_check_hmac(const WfHookCheck *in, WfHookVerdict *out);	/* and sets the delivery's id */
extern bool wf_hook_check_jwt(const WfHookCheck *in, WfHookVerdict *out);	/* and sets the claims */

/* -- keys of tokens (jwk.c) -- */

typedef struct WfHookAlgorithm
{
	const char *name;
	const char *key_type;		/* of a JSON Web Key */
	bool		(*verify) (const WfHookText *key, const WfHookText *input, const WfHookText *signature);
	/* a key as `verify` takes it; false when the text, or the JSON Web Key, is none */
	bool		(*read_key) (const WfHookText *text, WfHookText *key);
	bool		(*read_jwk) (const JsonbValue *jwk, WfHookText *key);
	const char *wanted;			/* of a key's text */
} WfHookAlgorithm;

/* The algorithm of that name, or NULL. */
extern const WfHookAlgorithm *wf_hook_algorithm(const char *name);

#endif
