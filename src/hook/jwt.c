/*
 * jwt.c: JSON Web Tokens (RFC 7519) in the header "authorization".
 *
 * The algorithm is the trigger's; a token whose header says another is refused before a key is touched. Of a token nothing but
 * its header is parsed before its signature has been verified, and of that only `alg`, `kid` and `crit` are read: where it says that a key
 * is to be found counts for nothing.
 */
#include "postgres.h"

#include "hook/internal.h"
#include "miscadmin.h"

#define MOST_TOKEN_BYTES (16 * 1024)
#define MOST_SET_KEYS 32
#define LEEWAY_S 60

/* The parts of a token. */
typedef struct Token
{
	WfHookText	input;			/* what is signed: the first two parts, as they came */
	WfHookText	header;			/* decoded, as the others */
	WfHookText	claims;
	WfHookText	signature;
	JsonbValue	kid;			/* of the header; jbvNull: it has none */
} Token;

/* -- taking it apart -- */

static bool
decode_part(const char *text, size_t bytes, WfHookText *out)
{
	uint8	   *decoded = palloc(bytes + 1);

	out->data = (char *) decoded;
	return bytes > 0 && wf_hook_base64url_decode(text, bytes, decoded, bytes, &out->bytes);
}

/* Three parts in base64url. */
static bool
cut(const char *text, size_t bytes, Token *token)
{
	const char *end = text + bytes;
	const char *first = memchr(text, '.', bytes);
	const char *second = first == NULL ? NULL : memchr(first + 1, '.', end - first - 1);

	if (second == NULL || bytes > MOST_TOKEN_BYTES)
		return false;
	token->input = (WfHookText) {.data = text, .bytes = second - text};
	return decode_part(text, first - text, &token->header) && decode_part(first + 1, second - first - 1, &token->claims) &&
		decode_part(second + 1, end - second - 1, &token->signature);
}

static bool
read_token(const WfHookCheck *in, Token *token, WfHookVerdict *out)
{
	WfHookText	header;
	size_t		skipped = 6;

	if (!wf_hook_need_header(in, "authorization", &header, out))
		return false;
	if (pg_strncasecmp(header.data, "bearer", 6) != 0 || header.data[6] != ' ')
		return wf_hook_refuse(out, "header \"authorization\" does not begin with \"Bearer\"");
	while (header.data[skipped] == ' ')
		skipped++;
	return cut(header.data + skipped, header.bytes - skipped, token) ||
		wf_hook_refuse(out, "the token is not three parts in base64url, or too long");
}

/* An object, which `root` is then; false when the text is none. */
static bool
parse_object(const WfHookText *text, Jsonb **parsed, JsonbValue *root)
{
	*parsed = wf_hook_parse_json(text->data, text->bytes);
	if (*parsed == NULL)
		return false;
	wf_json_root(*parsed, root);
	return wf_json_is_object(root);
}

static bool
check_token_header(Token *token, const WfHookAlgorithm *algorithm, WfHookVerdict *out)
{
	Jsonb	   *parsed;
	JsonbValue	header;
	JsonbValue	ignored;
	const char *named;

	if (!parse_object(&token->header, &parsed, &header))
		return wf_hook_refuse(out, "the token's header is no JSON object");
	named = wf_json_get_cstring(&header, "alg");
	if (named == NULL || strcmp(named, algorithm->name) != 0)
		return wf_hook_refuse(out, "the token's algorithm is not %s", algorithm->name);
	if (wf_json_field(&header, "crit", &ignored))
		return wf_hook_refuse(out, "the token asks for extensions (\"crit\")");
	if (!wf_json_field(&header, "kid", &token->kid))
		wf_json_set_null(&token->kid);
	else if (token->kid.type != jbvString)
		return wf_hook_refuse(out, "the token's \"kid\" is no text");
	return true;
}

/* -- keys -- */

/* The trigger's keys, one of which the token must be signed with. */
static bool
check_with_keys(const WfHookCheck *in, const Token *token, const WfHookAlgorithm *algorithm, WfHookVerdict *out)
{
	WfHookText	texts[WF_HOOK_SECRETS];
	int			n;
	bool		holds = false;

	if (!wf_hook_secrets(in->auth, "key", "keys", texts, &n, out))
		return false;
	for (int i = 0; i < n; i++)
	{
		WfHookText	key;

		if (!algorithm->read_key(&texts[i], &key))
			return wf_hook_unusable(out, "a key for %s is not %s", algorithm->name, algorithm->wanted);
		holds |= algorithm->verify(&key, &token->input, &token->signature);
	}
	return holds || wf_hook_refuse(out, "the token's signature does not match");
}

/* Is a member missing, or that text? */
static bool
is_or_misses(const JsonbValue *jwk, const char *name, const char *text)
{
	JsonbValue	value;
	JsonbValue	wanted;

	wf_json_set_string(&wanted, text, (int) strlen(text));
	return !wf_json_field(jwk, name, &value) || wf_json_equal(&value, &wanted);
}

/* May the key verify? */
static bool
has_verify(const JsonbValue *jwk)
{
	JsonbValue	list;
	JsonbValue	element;

	if (!wf_json_field(jwk, "key_ops", &list))
		return true;
	for (uint32 i = 0; wf_json_element(&list, i, &element); i++)
		if (element.type == jbvString && element.val.string.len == 6 && memcmp(element.val.string.val, "verify", 6) == 0)
			return true;
	return false;
}

/* Is a key of a set meant for such a token? One that names its key has no other. */
static bool
is_meant(const JsonbValue *jwk, const Token *token, const WfHookAlgorithm *algorithm)
{
	JsonbValue	kid;
	const char *type = wf_json_get_cstring(jwk, "kty");

	if (type == NULL || strcmp(type, algorithm->key_type) != 0 || !is_or_misses(jwk, "alg", algorithm->name) ||
		!is_or_misses(jwk, "use", "sig") || !has_verify(jwk))
		return false;
	return token->kid.type == jbvNull || (wf_json_field(jwk, "kid", &kid) && wf_json_equal(&kid, &token->kid));
}

static bool
check_with_set(const JsonbValue *set, const Token *token, const WfHookAlgorithm *algorithm, WfHookVerdict *out)
{
	JsonbValue	parsed;
	JsonbValue	keys;
	JsonbValue	jwk;
	bool		holds = false;
	int			n = 0;

	if (set->type == jbvString)
	{
		Jsonb	   *value = wf_hook_parse_json(set->val.string.val, set->val.string.len);

		if (value == NULL)
			return wf_hook_unusable(out, "\"jwks\" is no set of JSON Web Keys");
		wf_json_root(value, &parsed);
		set = &parsed;
	}
	if (!wf_json_field(set, "keys", &keys) || !wf_json_is_array(&keys) || wf_json_count(&keys) > MOST_SET_KEYS)
		return wf_hook_unusable(out, "\"jwks\" is no set of up to %d JSON Web Keys", MOST_SET_KEYS);
	for (uint32 i = 0; wf_json_element(&keys, i, &jwk); i++)
	{
		WfHookText	key;

		CHECK_FOR_INTERRUPTS();
		if (!is_meant(&jwk, token, algorithm) || !algorithm->read_jwk(&jwk, &key))
			continue;
		holds |= algorithm->verify(&key, &token->input, &token->signature);
		n++;
	}
	if (n == 0)
		return wf_hook_refuse(out, "no key of \"jwks\" is meant for such a token");
	return holds || wf_hook_refuse(out, "the token's signature does not match");
}

/* -- claims -- */

/* A time; false, and the refusal is noted, when it is there and none. */
static bool
read_time(const JsonbValue *claims, const char *name, double *seconds, bool *found, WfHookVerdict *out)
{
	JsonbValue	value;

	*found = wf_json_field(claims, name, &value);
	return !*found || wf_json_double(&value, seconds) || wf_hook_refuse(out, "the token's \"%s\" is no time", name);
}

static bool
check_times(const WfHookCheck *in, const JsonbValue *claims, WfHookVerdict *out)
{
	static const char *const not_before[] = {"nbf", "iat"};
	double		now = (double) wf_hook_unix_seconds(in->now);
	double		time;
	bool		found;

	if (!read_time(claims, "exp", &time, &found, out))
		return false;
	if (!found)
		return wf_hook_refuse(out, "the token has no \"exp\"");
	if (now >= time + LEEWAY_S)
		return wf_hook_refuse(out, "the token expired %.0f s ago", now - time);
	for (int i = 0; i < lengthof(not_before); i++)
	{
		if (!read_time(claims, not_before[i], &time, &found, out))
			return false;
		if (found && now < time - LEEWAY_S)
			return wf_hook_refuse(out, "the token's \"%s\" is %.0f s in the future", not_before[i], time - now);
	}
	return true;
}

/* Is a text one of a list of texts, or the only one? */
static bool
is_among(const JsonbValue *texts, const JsonbValue *text)
{
	JsonbValue	element;

	if (!wf_json_is_array(texts))
		return texts->type == jbvString && wf_json_equal(texts, text);
	for (uint32 i = 0; wf_json_element(texts, i, &element); i++)
		if (element.type == jbvString && wf_json_equal(&element, text))
			return true;
	return false;
}

static bool
check_audience(const WfHookCheck *in, const JsonbValue *claims, WfHookVerdict *out)
{
	JsonbValue	wanted;
	JsonbValue	given;
	JsonbValue	element;
	bool		is_given = wf_json_field(claims, "aud", &given);

	if (!wf_json_field(in->auth, "audience", &wanted))
		return !is_given || wf_hook_refuse(out, "the token is for an audience, and the trigger has none");
	if (is_given && wanted.type == jbvString && is_among(&given, &wanted))
		return true;
	for (uint32 i = 0; is_given && wf_json_is_array(&wanted) && wf_json_element(&wanted, i, &element); i++)
		if (is_among(&given, &element))
			return true;
	return wf_hook_refuse(out, "the token is not for this audience");
}

static bool
check_issuer(const WfHookCheck *in, const JsonbValue *claims, WfHookVerdict *out)
{
	JsonbValue	wanted;
	JsonbValue	given;

	return !wf_json_field(in->auth, "issuer", &wanted) ||
		(wf_json_field(claims, "iss", &given) && given.type == jbvString && wf_json_equal(&given, &wanted)) ||
		wf_hook_refuse(out, "the token is not from this issuer");
}

/* A text that is not empty. */
static bool
is_some_text(const JsonbValue *value)
{
	return value->type == jbvString && value->val.string.len > 0;
}

/* Are the trigger's own demands what they can be? A template that came to nothing must not be a demand for nothing. */
static bool
check_demands(const JsonbValue *auth, WfHookVerdict *out)
{
	JsonbValue	value;
	JsonbValue	element;
	bool		is_good = true;

	if (wf_json_field(auth, "audience", &value) && !is_some_text(&value))
	{
		is_good = wf_json_is_array(&value) && wf_json_count(&value) > 0;
		for (uint32 i = 0; wf_json_element(&value, i, &element); i++)
			is_good &= is_some_text(&element);
	}
	if (!is_good)
		return wf_hook_unusable(out, "\"audience\" is no text and no list of texts, or an empty one");
	if (wf_json_field(auth, "issuer", &value) && !is_some_text(&value))
		return wf_hook_unusable(out, "\"issuer\" is no text, or an empty one");
	return true;
}

/* -- the check -- */

bool
wf_hook_check_jwt(const WfHookCheck *in, WfHookVerdict *out)
{
	const WfHookAlgorithm *algorithm = wf_hook_algorithm(wf_json_get_cstring(in->auth, "algorithm"));
	Token		token = {0};
	JsonbValue	set;
	JsonbValue	ignored;
	JsonbValue	claims;
	bool		has_set = wf_json_field(in->auth, "jwks", &set);

	if (algorithm == NULL)
		return wf_hook_unusable(out, "auth has no \"algorithm\" that is known");
	if (has_set && (wf_json_field(in->auth, "key", &ignored) || wf_json_field(in->auth, "keys", &ignored)))
		return wf_hook_unusable(out, "auth has \"jwks\" and a key");
	if (!check_demands(in->auth, out) || !read_token(in, &token, out) || !check_token_header(&token, algorithm, out))
		return false;
	if (!(has_set ? check_with_set(&set, &token, algorithm, out) : check_with_keys(in, &token, algorithm, out)))
		return false;
	if (!parse_object(&token.claims, &out->claims, &claims))
		return wf_hook_refuse(out, "the token's claims are no JSON object");
	return check_times(in, &claims, out) && check_audience(in, &claims, out) && check_issuer(in, &claims, out);
}
