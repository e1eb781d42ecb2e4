/*
 * auth.c: the kinds of auth, and the ids of deliveries that are not signed. auth.h says what is promised.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "base/secret.h"
#include "base/text.h"
#include "hook/internal.h"
#include "utils/timestamp.h"

/* -- verdicts -- */

bool
wf_hook_refuse(WfHookVerdict *out, const char *fmt, ...)
{
	StringInfoData reason;

	initStringInfo(&reason);
	WF_APPEND_ARGS(&reason, fmt);
	out->accepted = false;
	out->reason = reason.data;
	return false;
}

bool
wf_hook_unusable(WfHookVerdict *out, const char *fmt, ...)
{
	StringInfoData reason;

	initStringInfo(&reason);
	WF_APPEND_ARGS(&reason, fmt);
	out->accepted = false;
	out->unusable = true;
	out->reason = reason.data;
	return false;
}

/* -- what the checks share -- */

bool
wf_hook_need_header(const WfHookCheck *in, const char *name, WfHookText *value, WfHookVerdict *out)
{
	int			n = wf_hook_header_count(in->headers, name);

	value->data = wf_hook_header(in->headers, name);
	value->bytes = wf_text_length(value->data);
	if (n == 0)
		return wf_hook_refuse(out, "header \"%s\" is missing", name);
	if (n > 1)
		return wf_hook_refuse(out, "header \"%s\" came more than once", name);
	if (value->bytes == 0)
		return wf_hook_refuse(out, "header \"%s\" is empty", name);
	return true;
}

bool
wf_hook_secrets(const JsonbValue *auth, const char *one, const char *many, WfHookText *secrets, int *n, WfHookVerdict *out)
{
	JsonbValue	single;
	JsonbValue	list;
	JsonbValue	secret;
	bool		has_single = wf_json_field(auth, one, &single);
	bool		has_list = wf_json_field(auth, many, &list);

	*n = 0;
	if (has_single == has_list)
		return wf_hook_unusable(out, "auth needs \"%s\" or \"%s\"", one, many);
	if (has_list && (!wf_json_is_array(&list) || wf_json_count(&list) == 0 || wf_json_count(&list) > WF_HOOK_SECRETS))
		return wf_hook_unusable(out, "\"%s\" is no list of 1 to %d texts", many, WF_HOOK_SECRETS);
	for (uint32 i = 0; i < (has_list ? wf_json_count(&list) : 1); i++)
	{
		secret = single;
		if (has_list)
			(void) wf_json_element(&list, i, &secret);
		if (secret.type != jbvString || secret.val.string.len == 0)
			return wf_hook_unusable(out, "\"%s\" has no text, or an empty one", has_list ? many : one);
		secrets[(*n)++] = (WfHookText) {.data = secret.val.string.val, .bytes = secret.val.string.len};
	}
	return true;
}

bool
wf_hook_is_same(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	uint8		a_hash[WF_CRYPT_HASH_BYTES];
	uint8		b_hash[WF_CRYPT_HASH_BYTES];
	bool		hashed = wf_crypt_sha256(a, a_bytes, a_hash);

	hashed &= wf_crypt_sha256(b, b_bytes, b_hash);
	return hashed & wf_crypt_equal(a_hash, b_hash, WF_CRYPT_HASH_BYTES);
}

int64
wf_hook_unix_seconds(TimestampTz now)
{
	return now / USECS_PER_SEC + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY;
}

/* -- without a signature -- */

static bool
check_none(const WfHookCheck *in, WfHookVerdict *out)
{
	return true;
}

/* "<username>:<password>" in base64, in memory that wipes itself; *bytes without the NUL. */
static char *
basic_credentials(const char *username, const WfHookText *password, size_t *bytes)
{
	size_t		plain_bytes = strlen(username) + 1 + password->bytes;
	char	   *plain = wf_secret_alloc(plain_bytes + 1);
	char	   *encoded;
	char	   *kept;

	memcpy(plain, username, strlen(username));
	plain[strlen(username)] = ':';
	memcpy(plain + strlen(username) + 1, password->data, password->bytes);
	encoded = wf_hook_base64(plain, plain_bytes);
	explicit_bzero(plain, plain_bytes);
	*bytes = strlen(encoded);
	kept = wf_secret_alloc(*bytes + 1);
	memcpy(kept, encoded, *bytes + 1);
	explicit_bzero(encoded, *bytes);
	pfree(encoded);
	return kept;
}

static bool
check_basic(const WfHookCheck *in, WfHookVerdict *out)
{
	const char *username = wf_json_get_cstring(in->auth, "username");
	WfHookText	passwords[WF_HOOK_SECRETS];
	WfHookText	header;
	int			n;
	size_t		skipped = 5;
	bool		matches = false;

	if (username == NULL || strchr(username, ':') != NULL || strlen(username) > WF_SECRET_VALUE_BYTES)
		return wf_hook_unusable(out, "\"username\" is no text, or has a colon in it");
	if (!wf_hook_secrets(in->auth, "password", "passwords", passwords, &n, out) ||
		!wf_hook_need_header(in, "authorization", &header, out))
		return false;
	if (pg_strncasecmp(header.data, "basic", 5) != 0 || header.data[5] != ' ')
		return wf_hook_refuse(out, "header \"authorization\" does not begin with \"Basic\"");
	while (header.data[skipped] == ' ')
		skipped++;
	for (int i = 0; i < n; i++)
	{
		size_t		bytes;
		char	   *wanted;

		if (passwords[i].bytes > WF_SECRET_VALUE_BYTES)
			return wf_hook_unusable(out, "a password is too long");
		wanted = basic_credentials(username, &passwords[i], &bytes);
		matches |= wf_hook_is_same(wanted, bytes, header.data + skipped, header.bytes - skipped);
	}
	return matches || wf_hook_refuse(out, "username or password does not match");
}

static bool
check_header(const WfHookCheck *in, WfHookVerdict *out)
{
	char	   *name = wf_json_get_cstring(in->auth, "name");
	WfHookText	values[WF_HOOK_SECRETS];
	WfHookText	header;
	int			n;
	bool		matches = false;

	if (wf_text_length(name) == 0)
		return wf_hook_unusable(out, "auth needs \"name\", that of a header");
	for (char *c = name; *c != '\0'; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	if (!wf_hook_secrets(in->auth, "value", "values", values, &n, out) || !wf_hook_need_header(in, name, &header, out))
		return false;
	for (int i = 0; i < n; i++)
		matches |= wf_hook_is_same(values[i].data, values[i].bytes, header.data, header.bytes);
	return matches || wf_hook_refuse(out, "header \"%s\" does not have the value that it must have", name);
}

/* -- all of it -- */

typedef struct Kind
{
	const char *type;
	bool		(*check) (const WfHookCheck *in, WfHookVerdict *out);
} Kind;

static const Kind kinds[] = {
	{"none", check_none},
	{"basic", check_basic},
	{"header", check_header},
	{"hmac", wf_hook_check_hmac},
	{"jwt", wf_hook_check_jwt},
};

static const Kind *
kind_of(const JsonbValue *auth)
{
	const char *type = auth == NULL ? "none" : wf_json_get_cstring(auth, "type");

	for (int i = 0; type != NULL && i < lengthof(kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	return NULL;
}

/* The delivery's id, or the digest of a long one; false when OpenSSL can't. */
static bool
settle_id(const WfHookCheck *in, WfHookVerdict *out)
{
	static const char *const names[] = {"idempotency-key", "webhook-id"};
	size_t		bytes;

	for (int i = 0; out->delivery_id == NULL && i < lengthof(names); i++)
	{
		const char *id = wf_hook_header(in->headers, names[i]);

		if (wf_hook_header_count(in->headers, names[i]) > 1)
			return wf_hook_refuse(out, "header \"%s\" came more than once", names[i]);
		if (wf_text_length(id) > 0)
			out->delivery_id = id;
	}
	bytes = wf_text_length(out->delivery_id);
	if (bytes > WF_HOOK_ID_BYTES)
	{
		out->delivery_id = wf_hook_digest(out->delivery_id, bytes);
		if (out->delivery_id == NULL)
			return wf_hook_unusable(out, "could not make a digest");
	}
	return true;
}

void
wf_hook_check(const WfHookCheck *in, WfHookVerdict *out)
{
	const Kind *kind = kind_of(in->auth);

	memset(out, 0, sizeof(*out));
	if (in->body_bytes > WF_HOOK_BODY_BYTES)
		wf_hook_refuse(out, "the body is too large");
	else if (kind == NULL)
		wf_hook_unusable(out, "auth has no \"type\" that is known");
	else
		out->accepted = kind->check(in, out) && settle_id(in, out);
	if (out->accepted)
		return;
	out->delivery_id = NULL;
	out->claims = NULL;
}
