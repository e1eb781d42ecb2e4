/*
 * hmac.c: signatures with a shared secret, in the forms of four senders.
 *
 *   standard   "<webhook-id>.<webhook-timestamp>.<body>"; webhook-signature: v1,<base64> separated by spaces. The key is the
 *              bytes behind whsec_ in base64, or those of the text, as dispatch/ has it when it signs.
 *   github     the body; x-hub-signature-256: sha256=<hexadecimal>
 *   stripe     "<t>.<body>"; stripe-signature: t=<t>,v1=<hexadecimal>, perhaps several of v1
 *   slack      "v0:<x-slack-request-timestamp>:<body>"; x-slack-signature: v0=<hexadecimal>
 *
 * What was sent is never decoded: each key's signature is written as the sender writes it and compared with what came, all
 * with all. So there is one spelling of a signature. What is signed is cut in one way only: a timestamp is digits, and an id has no
 * full stop, or the boundary between it and the rest could be moved.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "base/secret.h"
#include "base/text.h"
#include "hook/internal.h"
#include "miscadmin.h"

#define MOST_SIGNATURES 16		/* in one request */
#define MOST_TIME_DIGITS 12
#define DEFAULT_TOLERANCE_S 300
#define MOST_TOLERANCE_S (7 * 24 * 60 * 60)
#define KEY_PREFIX "whsec_"

/* What a request says of its signature. */
typedef struct Signed
{
	const char *prefix;			/* is signed before the body */
	bool		is_timed;
	int64		timestamp;		/* if it is timed, in seconds as Unix counts them */
	WfHookText	given[MOST_SIGNATURES];
	int			n_given;
	const char *id;				/* that is signed; NULL: none in the headers */
} Signed;

typedef struct Scheme
{
	const char *name;
	bool		(*read) (const WfHookCheck *in, Signed *s, WfHookVerdict *out);
	bool		is_standard;	/* in base64; and so are keys with a prefix */
	const char *id_member;		/* of a body that is an object; or NULL */
} Scheme;

/* -- reading -- */

static bool
read_time(const char *text, size_t bytes, Signed *s)
{
	int64		time = 0;

	if (bytes == 0 || bytes > MOST_TIME_DIGITS)
		return false;
	for (size_t i = 0; i < bytes; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		time = time * 10 + (text[i] - '0');
	}
	s->timestamp = time;
	s->is_timed = true;
	return true;
}

/* False when there are too many. */
static bool
add_given(Signed *s, const char *text, size_t bytes)
{
	if (s->n_given == MOST_SIGNATURES)
		return false;
	s->given[s->n_given++] = (WfHookText) {.data = text, .bytes = bytes};
	return true;
}

/* A header that is a signature behind a prefix. */
static bool
read_prefixed(const WfHookCheck *in, const char *header, const char *prefix, Signed *s, WfHookVerdict *out)
{
	WfHookText	value;
	size_t		skipped = strlen(prefix);

	if (!wf_hook_need_header(in, header, &value, out))
		return false;
	if (strncmp(value.data, prefix, skipped) != 0)
		return wf_hook_refuse(out, "header \"%s\" does not begin with \"%s\"", header, prefix);
	return add_given(s, value.data + skipped, value.bytes - skipped);
}

static bool
read_time_header(const WfHookCheck *in, const char *header, WfHookText *value, Signed *s, WfHookVerdict *out)
{
	return wf_hook_need_header(in, header, value, out) &&
		(read_time(value->data, value->bytes, s) || wf_hook_refuse(out, "header \"%s\" is no time", header));
}

static bool
read_standard(const WfHookCheck *in, Signed *s, WfHookVerdict *out)
{
	WfHookText	id;
	WfHookText	time;
	WfHookText	list;

	if (!wf_hook_need_header(in, "webhook-id", &id, out) || !read_time_header(in, "webhook-timestamp", &time, s, out) ||
		!wf_hook_need_header(in, "webhook-signature", &list, out))
		return false;
	if (strchr(id.data, '.') != NULL)
		return wf_hook_refuse(out, "header \"webhook-id\" has a full stop in it");
	for (const char *at = list.data; *at != '\0';)
	{
		size_t		bytes = strcspn(at, " ");

		if (strncmp(at, "v1,", 3) == 0 && !add_given(s, at + 3, bytes - 3))
			return wf_hook_refuse(out, "there are more than %d signatures", MOST_SIGNATURES);
		at += bytes;
		at += strspn(at, " ");
	}
	if (s->n_given == 0)
		return wf_hook_refuse(out, "header \"webhook-signature\" has no signature that begins with \"v1,\"");
	s->id = id.data;
	s->prefix = psprintf("%s.%s.", id.data, time.data);
	return true;
}

static bool
read_github(const WfHookCheck *in, Signed *s, WfHookVerdict *out)
{
	s->prefix = "";
	return read_prefixed(in, "x-hub-signature-256", "sha256=", s, out);
}

static bool
read_stripe(const WfHookCheck *in, Signed *s, WfHookVerdict *out)
{
	WfHookText	value;

	if (!wf_hook_need_header(in, "stripe-signature", &value, out))
		return false;
	for (const char *at = value.data; *at != '\0';)
	{
		size_t		bytes = strcspn(at, ",");

		if (strncmp(at, "t=", 2) == 0)
		{
			if (s->is_timed || !read_time(at + 2, bytes - 2, s))
				return wf_hook_refuse(out, "header \"stripe-signature\" has no time, or two");
			s->prefix = psprintf("%.*s.", (int) bytes - 2, at + 2);
		}
		else if (strncmp(at, "v1=", 3) == 0 && !add_given(s, at + 3, bytes - 3))
			return wf_hook_refuse(out, "there are more than %d signatures", MOST_SIGNATURES);
		at += bytes + (at[bytes] == ',');
	}
	if (!s->is_timed || s->n_given == 0)
		return wf_hook_refuse(out, "header \"stripe-signature\" has no \"t=\", or no \"v1=\"");
	return true;
}

static bool
read_slack(const WfHookCheck *in, Signed *s, WfHookVerdict *out)
{
	WfHookText	time;

	if (!read_time_header(in, "x-slack-request-timestamp", &time, s, out))
		return false;
	s->prefix = psprintf("v0:%s:", time.data);
	return read_prefixed(in, "x-slack-signature", "v0=", s, out);
}

static const Scheme schemes[] = {
	{"standard", read_standard, true, NULL},
	{"github", read_github, false, NULL},
	{"stripe", read_stripe, false, "id"},
	{"slack", read_slack, false, "event_id"},
};

/* -- the trigger's side -- */

static const Scheme *
scheme_of(const JsonbValue *auth)
{
	const char *name = wf_json_get_cstring(auth, "scheme");

	for (int i = 0; name != NULL && i < lengthof(schemes); i++)
		if (strcmp(schemes[i].name, name) == 0)
			return &schemes[i];
	return NULL;
}

/* In seconds; false when it is none. */
static bool
read_tolerance(const JsonbValue *auth, int64 *seconds)
{
	JsonbValue	value;
	int64		ms;

	*seconds = DEFAULT_TOLERANCE_S;
	if (!wf_json_field(auth, "tolerance", &value))
		return true;
	if (value.type == jbvString)
	{
		if (!wf_text_duration_ms(wf_json_cstring(&value), &ms))
			return false;
		*seconds = ms / 1000;
	}
	else if (!wf_json_int64(&value, seconds))
		return false;
	return *seconds >= 1 && *seconds <= MOST_TOLERANCE_S;
}

/* The bytes of a key, where they stand as base64 behind whsec_; false when they do not. */
static bool
decode_key(const WfHookText *secret, WfHookText *key)
{
	size_t		skipped = strlen(KEY_PREFIX);
	uint8	   *decoded;

	*key = *secret;
	if (secret->bytes < skipped || memcmp(secret->data, KEY_PREFIX, skipped) != 0)
		return true;
	if (secret->bytes > WF_SECRET_VALUE_BYTES)
		return false;
	decoded = wf_secret_alloc(secret->bytes);
	key->data = (char *) decoded;
	return wf_hook_base64_decode(secret->data + skipped, secret->bytes - skipped, decoded, secret->bytes, &key->bytes) &&
		key->bytes > 0;
}

/* -- the check -- */

/* Compares the signature by a key with all that came. */
static bool
is_given(const Signed *s, bool is_base64, const uint8 mac[WF_CRYPT_HASH_BYTES])
{
	char		hex[2 * WF_CRYPT_HASH_BYTES + 1];
	const char *wanted = hex;
	bool		matches = false;

	wf_hook_hex(mac, hex);
	if (is_base64)
		wanted = wf_hook_base64(mac, WF_CRYPT_HASH_BYTES);
	for (int i = 0; i < s->n_given; i++)
		matches |= wf_hook_is_same(wanted, strlen(wanted), s->given[i].data, s->given[i].bytes);
	return matches;
}

/* A digest of all that is signed. */
static const char *
signed_digest(const WfHookCheck *in, const Signed *s)
{
	size_t		prefix_bytes = strlen(s->prefix);
	char	   *all = palloc(prefix_bytes + in->body_bytes + 1);
	const char *digest;

	memcpy(all, s->prefix, prefix_bytes);
	if (in->body_bytes > 0)
		memcpy(all + prefix_bytes, in->body, in->body_bytes);
	digest = wf_hook_digest(all, prefix_bytes + in->body_bytes);
	pfree(all);
	return digest;
}

/* A text of the body that is its id; NULL when there is none. */
static const char *
body_id(const WfHookCheck *in, const char *member)
{
	Jsonb	   *body = in->body_bytes == 0 ? NULL : wf_hook_parse_json(in->body, in->body_bytes);
	JsonbValue	root;
	const char *id;

	if (body == NULL)
		return NULL;
	wf_json_root(body, &root);
	id = wf_json_get_cstring(&root, member);
	pfree(body);
	return wf_text_length(id) > 0 ? id : NULL;
}

static bool
set_id(const WfHookCheck *in, const Scheme *scheme, const Signed *s, WfHookVerdict *out)
{
	out->delivery_id = s->id;
	if (out->delivery_id == NULL && scheme->id_member != NULL)
		out->delivery_id = body_id(in, scheme->id_member);
	if (out->delivery_id == NULL)
		out->delivery_id = signed_digest(in, s);
	return out->delivery_id != NULL || wf_hook_unusable(out, "could not make a digest");
}

bool
wf_hook_check_hmac(const WfHookCheck *in, WfHookVerdict *out)
{
	const Scheme *scheme = scheme_of(in->auth);
	WfHookText	secrets[WF_HOOK_SECRETS];
	Signed		s = {0};
	int			n;
	int64		tolerance;
	int64		age;
	bool		matches = false;

	if (scheme == NULL)
		return wf_hook_unusable(out, "auth has no \"scheme\" that is known");
	if (!read_tolerance(in->auth, &tolerance))
		return wf_hook_unusable(out, "\"tolerance\" is no time from a second to a week");
	if (!wf_hook_secrets(in->auth, "secret", "secrets", secrets, &n, out) || !scheme->read(in, &s, out))
		return false;
	for (int i = 0; i < n; i++)
	{
		WfHookText	key = secrets[i];
		uint8		mac[WF_CRYPT_HASH_BYTES];

		CHECK_FOR_INTERRUPTS();
		if (scheme->is_standard && !decode_key(&secrets[i], &key))
			return wf_hook_unusable(out, "a secret has no base64 behind \"%s\"", KEY_PREFIX);
		if (!wf_crypt_hmac_sha256(key.data, key.bytes, s.prefix, strlen(s.prefix), in->body_bytes == 0 ? "" : in->body,
								  in->body_bytes, mac))
			return wf_hook_unusable(out, "could not compute a signature");
		matches |= is_given(&s, scheme->is_standard, mac);
		explicit_bzero(mac, sizeof(mac));
	}
	if (!matches)
		return wf_hook_refuse(out, "signature does not match");
	age = s.is_timed ? wf_hook_unix_seconds(in->now) - s.timestamp : 0;
	if (age > tolerance)
		return wf_hook_refuse(out, "timestamp is " INT64_FORMAT " s old", age);
	if (age < -tolerance)
		return wf_hook_refuse(out, "timestamp is " INT64_FORMAT " s in the future", -age);
	return set_id(in, scheme, &s, out);
}
