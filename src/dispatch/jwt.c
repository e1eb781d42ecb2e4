/*
 * jwt.c: a token that says who is asking, made and signed for each attempt: auth of type jwt, which credentials alone have.
 *
 * RFC 7519 with JWS in its compact form. `iat` and `exp` are of the attempt, `jti` is the request's id and the attempt's number;
 * they, and issuer, subject and audience where the credential has them, come after the credential's own claims and stand in
 * their place.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "dispatch/making.h"

#define LIFETIME_SECONDS 300
#define MOST_SIGNATURE_BYTES 1024

/* In base64url without padding. */
static void
put_base64url(WfBuffer *out, const char *data, size_t bytes)
{
	WfBuffer   *encoded = wf_buffer_make(bytes / 3 * 4 + 4);

	wf_buffer_put_base64(encoded, data, bytes, 0);
	for (size_t i = 0; i < encoded->bytes; i++)
	{
		char		c = encoded->data[i];

		if (c == '=')
			break;
		c = c == '+' ? '-' : c == '/' ? '_' : c;
		wf_buffer_put(out, &c, 1);
	}
}

static void
put_json(WfBuffer *out, WfJsonWriter *w)
{
	JsonbValue	value;
	char	   *text;

	wf_json_root(wf_json_finish(w), &value);
	text = wf_json_text(&value);
	put_base64url(out, text, strlen(text));
}

static void
put_header(WfBuffer *out, const char *algorithm, const WfText *key_id)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "alg", algorithm);
	wf_json_put_field_cstring(w, "typ", "JWT");
	if (key_id->data != NULL && key_id->bytes > 0)
		wf_json_put_field_cstring(w, "kid", key_id->data);
	wf_json_end_object(w);
	put_json(out, w);
}

static void
put_claims(WfMaking *m, const JsonbValue *auth, WfBuffer *out)
{
	static const char *const names[][2] = {{"issuer", "iss"}, {"subject", "sub"}, {"audience", "aud"}};
	int64		now = m->in->now_unix_ms / 1000;
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	claims;

	wf_json_begin_object(w);
	if (wf_json_field(auth, "claims", &claims))
		wf_json_put_members(w, &claims, NULL);
	for (int i = 0; i < lengthof(names); i++)
	{
		char	   *text = wf_json_get_cstring(auth, names[i][0]);

		if (text != NULL && text[0] != '\0')
			wf_json_put_field_cstring(w, names[i][1], text);
	}
	wf_json_put_field_int64(w, "iat", now);
	wf_json_put_field_int64(w, "exp", now + wf_making_int(auth, "lifetime", LIFETIME_SECONDS));
	wf_json_put_field_cstring(w, "jti", psprintf("%s-%d", wf_making_uuid(&m->in->request_id), m->in->attempt));
	wf_json_end_object(w);
	put_json(out, w);
}

/* Signs what is in the buffer; the bytes of the signature, 0 when the key is none for this. */
static size_t
sign(const char *algorithm, const WfText *key, const WfBuffer *data, uint8 *out)
{
	if (strcmp(algorithm, "HS256") == 0)
		return wf_crypt_hmac_sha256(key->data, key->bytes, data->data, data->bytes, "", 0, out) ? WF_CRYPT_HASH_BYTES : 0;
	return wf_crypt_sign(strcmp(algorithm, "ES256") == 0 ? WF_CRYPT_KEY_P256 : WF_CRYPT_KEY_RSA, key->data, key->bytes,
						 data->data, data->bytes, out, MOST_SIGNATURE_BYTES);
}

bool
wf_compose_jwt(WfMaking *m, const JsonbValue *auth, const char **token)
{
	WfBuffer   *out = wf_buffer_make(1024);
	WfText		algorithm = {0};
	WfText		key_id = {0};
	WfText		key = {0};
	uint8		signature[MOST_SIGNATURE_BYTES];
	JsonbValue	value;
	size_t		bytes;

	if (!wf_making_member(m, auth, "auth", "algorithm", true, &algorithm) || !wf_making_member(m, auth, "auth", "keyId", false, &key_id))
		return false;
	if (!wf_json_field(auth, "key", &value))
		return wf_making_wrong(m, "\"auth.key\" is missing");
	if (!wf_making_text(m, "auth.key", &value, &key))
		return false;
	put_header(out, algorithm.data, &key_id);
	wf_buffer_put(out, ".", 1);
	put_claims(m, auth, out);
	bytes = sign(algorithm.data, &key, out, signature);
	if (bytes == 0)
		return wf_making_wrong(m, "the key of the credential is no private key for %s", algorithm.data);
	wf_buffer_put(out, ".", 1);
	put_base64url(out, (const char *) signature, bytes);
	/* the key says who is asking; the token is another one each time, and must not part connections */
	wf_making_add_credential(m, key.data);
	*token = out->data;
	return true;
}
