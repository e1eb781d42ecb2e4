/*
 * jwk.c: the algorithms of tokens, and their keys as PEM, as text, and as JSON Web Keys (RFC 7517, RFC 7518).
 *
 * A key is made for one algorithm, the one that the trigger names; a token has no say in it. So a public key cannot come to be
 * used as a shared secret: what looks like PEM is no secret here.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/crypt.h"
#include "base/secret.h"
#include "hook/internal.h"

#define LEAST_SECRET_BYTES 32	/* RFC 7518, 3.2 */
#define MOST_PEM_BYTES 4096
#define MOST_NUMBER_BYTES 1032	/* of RSA */
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"

/* -- verifying -- */

static bool
verify_hs256(const WfHookText *key, const WfHookText *input, const WfHookText *signature)
{
	uint8		mac[WF_CRYPT_HASH_BYTES];

	return wf_crypt_hmac_sha256(key->data, key->bytes, input->data, input->bytes, "", 0, mac) &&
		wf_hook_is_same(mac, sizeof(mac), signature->data, signature->bytes);
}

static bool
verify_rs256(const WfHookText *key, const WfHookText *input, const WfHookText *signature)
{
	return wf_crypt_verify(WF_CRYPT_KEY_RSA, (const uint8 *) key->data, key->bytes, input->data, input->bytes,
						   (const uint8 *) signature->data, signature->bytes);
}

static bool
verify_es256(const WfHookText *key, const WfHookText *input, const WfHookText *signature)
{
	return wf_crypt_verify(WF_CRYPT_KEY_P256, (const uint8 *) key->data, key->bytes, input->data, input->bytes,
						   (const uint8 *) signature->data, signature->bytes);
}

/* -- keys as text -- */

static bool
read_secret(const WfHookText *text, WfHookText *key)
{
	*key = *text;
	return text->bytes >= LEAST_SECRET_BYTES && memmem(text->data, text->bytes, "-----BEGIN ", 11) == NULL;
}

static WfHookText
trimmed(const WfHookText *text)
{
	WfHookText	t = *text;

	for (; t.bytes > 0 && isspace((unsigned char) t.data[0]); t.bytes--)
		t.data++;
	while (t.bytes > 0 && isspace((unsigned char) t.data[t.bytes - 1]))
		t.bytes--;
	return t;
}

/* The DER of a public key, which is of the kind. */
static bool
read_pem(const WfHookText *text, WfCryptKeyKind kind, WfHookText *key)
{
	size_t		begin = strlen(PEM_BEGIN);
	size_t		end = strlen(PEM_END);
	WfHookText	pem = trimmed(text);
	uint8	   *der;

	if (pem.bytes < begin + end || pem.bytes > MOST_PEM_BYTES || memcmp(pem.data, PEM_BEGIN, begin) != 0 ||
		memcmp(pem.data + pem.bytes - end, PEM_END, end) != 0)
		return false;
	der = palloc(pem.bytes);
	key->data = (char *) der;
	return wf_hook_base64_decode(pem.data + begin, pem.bytes - begin - end, der, pem.bytes, &key->bytes) &&
		wf_crypt_key_kind(der, key->bytes) == kind;
}

static bool
read_rsa_pem(const WfHookText *text, WfHookText *key)
{
	return read_pem(text, WF_CRYPT_KEY_RSA, key);
}

static bool
read_p256_pem(const WfHookText *text, WfHookText *key)
{
	return read_pem(text, WF_CRYPT_KEY_P256, key);
}

/* -- JSON Web Keys -- */

/* A member that is bytes in base64url. */
static bool
read_bytes(const JsonbValue *jwk, const char *name, uint8 *out, size_t room, size_t *bytes)
{
	JsonbValue	value;

	return wf_json_field(jwk, name, &value) && value.type == jbvString &&
		wf_hook_base64url_decode(value.val.string.val, value.val.string.len, out, room, bytes);
}

static bool
read_oct(const JsonbValue *jwk, WfHookText *key)
{
	JsonbValue	value;
	WfHookText	secret = {0};
	uint8	   *bytes;

	if (!wf_json_field(jwk, "k", &value) || value.type != jbvString || value.val.string.len > WF_SECRET_VALUE_BYTES)
		return false;
	bytes = wf_secret_alloc(value.val.string.len + 1);
	secret.data = (char *) bytes;
	return read_bytes(jwk, "k", bytes, value.val.string.len, &secret.bytes) && read_secret(&secret, key);
}

static bool
read_rsa(const JsonbValue *jwk, WfHookText *key)
{
	uint8		n[MOST_NUMBER_BYTES];
	uint8		e[MOST_NUMBER_BYTES];
	uint8	   *spki = palloc(WF_CRYPT_SPKI_BYTES);
	size_t		n_bytes;
	size_t		e_bytes;

	key->data = (char *) spki;
	if (!read_bytes(jwk, "n", n, sizeof(n), &n_bytes) || !read_bytes(jwk, "e", e, sizeof(e), &e_bytes))
		return false;
	key->bytes = wf_crypt_rsa_spki(n, n_bytes, e, e_bytes, spki);
	return key->bytes > 0 && wf_crypt_key_kind(spki, key->bytes) == WF_CRYPT_KEY_RSA;
}

static bool
read_p256(const JsonbValue *jwk, WfHookText *key)
{
	const char *curve = wf_json_get_cstring(jwk, "crv");
	uint8		x[WF_CRYPT_P256_BYTES];
	uint8		y[WF_CRYPT_P256_BYTES];
	uint8	   *spki = palloc(WF_CRYPT_SPKI_BYTES);
	size_t		x_bytes;
	size_t		y_bytes;

	key->data = (char *) spki;
	if (curve == NULL || strcmp(curve, "P-256") != 0 || !read_bytes(jwk, "x", x, sizeof(x), &x_bytes) ||
		!read_bytes(jwk, "y", y, sizeof(y), &y_bytes) || x_bytes != sizeof(x) || y_bytes != sizeof(y))
		return false;
	key->bytes = wf_crypt_p256_spki(x, y, spki);
	return wf_crypt_key_kind(spki, key->bytes) == WF_CRYPT_KEY_P256;
}

/* -- the table -- */

static const WfHookAlgorithm algorithms[] = {
	{"HS256", "oct", verify_hs256, read_secret, read_oct, "a secret of 32 bytes or more"},
	{"RS256", "RSA", verify_rs256, read_rsa_pem, read_rsa, "a public key of RSA in PEM, of 2048 to 8192 bits"},
	{"ES256", "EC", verify_es256, read_p256_pem, read_p256, "a public key of the curve P-256 in PEM"},
};

const WfHookAlgorithm *
wf_hook_algorithm(const char *name)
{
	for (int i = 0; name != NULL && i < lengthof(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}
