/*
 * crypt_key.c: signatures and their keys, through OpenSSL's EVP, which exists in 1.1.1 and 3 alike.
 *
 * A key is its SubjectPublicKeyInfo (RFC 5280) in DER, and stays bytes until it is used: what makes a key of numbers differs
 * between the versions of OpenSSL, and what reads DER does not. A key of the curve P-256 has one spelling here, the one
 * with the curve's name and both coordinates, so that no parameters of a stranger's come along.
 *
 * Nothing throws while something of OpenSSL's is held.
 */
#include "postgres.h"

#include <limits.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/crypt.h"

#define LEAST_RSA_BITS 2048
#define MOST_RSA_BYTES 1024
#define MOST_EXPONENT_BYTES 8
#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_SEQUENCE 0x30

/* All of a key of P-256 but its coordinates. */
static const uint8 p256_prefix[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D,
	0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};

/* rsaEncryption, NULL */
static const uint8 rsa_algorithm[] = {
	0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
};

#define P256_SPKI_BYTES (sizeof(p256_prefix) + 2 * WF_CRYPT_P256_BYTES)

/* -- DER -- */

/* The bytes of a tag and a length. */
static size_t
head_bytes(size_t length)
{
	return length < 0x80 ? 2 : length < 0x100 ? 3 : 4;
}

/* Returns where what it is the head of begins. */
static uint8 *
put_head(uint8 *out, uint8 tag, size_t length)
{
	*out++ = tag;
	if (length >= 0x100)
	{
		*out++ = 0x82;
		*out++ = (uint8) (length >> 8);
	}
	else if (length >= 0x80)
		*out++ = 0x81;
	*out++ = (uint8) length;
	return out;
}

/* Leaves zeros out that a number begins with. */
static void
strip(const uint8 **number, size_t *bytes)
{
	for (; *bytes > 1 && **number == 0; (*bytes)--)
		(*number)++;
}

/* The bytes of a stripped number's INTEGER, without its head: not negative. */
static size_t
integer_bytes(const uint8 *number, size_t bytes)
{
	return bytes + (number[0] >= 0x80);
}

static uint8 *
put_integer(uint8 *out, const uint8 *number, size_t bytes)
{
	out = put_head(out, DER_INTEGER, integer_bytes(number, bytes));
	if (number[0] >= 0x80)
		*out++ = 0;
	memcpy(out, number, bytes);
	return out + bytes;
}

/* -- keys -- */

size_t
wf_crypt_rsa_spki(const uint8 *n, size_t n_bytes, const uint8 *e, size_t e_bytes, uint8 out[WF_CRYPT_SPKI_BYTES])
{
	uint8	   *at = out;
	size_t		numbers;
	size_t		list;
	size_t		bits;

	if (n_bytes == 0 || e_bytes == 0)
		return 0;
	strip(&n, &n_bytes);
	strip(&e, &e_bytes);
	if (n_bytes > MOST_RSA_BYTES || e_bytes > MOST_EXPONENT_BYTES || (e[e_bytes - 1] & 1) == 0 || (e_bytes == 1 && e[0] < 3))
		return 0;
	numbers = integer_bytes(n, n_bytes) + integer_bytes(e, e_bytes);
	numbers += head_bytes(integer_bytes(n, n_bytes)) + head_bytes(integer_bytes(e, e_bytes));
	list = numbers + head_bytes(numbers);
	bits = list + 1;
	at = put_head(at, DER_SEQUENCE, sizeof(rsa_algorithm) + head_bytes(bits) + bits);
	memcpy(at, rsa_algorithm, sizeof(rsa_algorithm));
	at = put_head(at + sizeof(rsa_algorithm), DER_BIT_STRING, bits);
	*at++ = 0;					/* no bits are left over */
	at = put_head(at, DER_SEQUENCE, numbers);
	at = put_integer(at, n, n_bytes);
	at = put_integer(at, e, e_bytes);
	return at - out;
}

size_t
wf_crypt_p256_spki(const uint8 x[WF_CRYPT_P256_BYTES], const uint8 y[WF_CRYPT_P256_BYTES], uint8 out[WF_CRYPT_SPKI_BYTES])
{
	memcpy(out, p256_prefix, sizeof(p256_prefix));
	memcpy(out + sizeof(p256_prefix), x, WF_CRYPT_P256_BYTES);
	memcpy(out + sizeof(p256_prefix) + WF_CRYPT_P256_BYTES, y, WF_CRYPT_P256_BYTES);
	return P256_SPKI_BYTES;
}

/* Keys that were read in this backend: reading one takes longer than what is verified with it. */
typedef struct KnownKey
{
	uint8		spki[WF_CRYPT_SPKI_BYTES];
	size_t		bytes;
	WfCryptKeyKind kind;
	EVP_PKEY   *key;			/* NULL: nothing is here */
} KnownKey;

#define MOST_KNOWN 8

static KnownKey known[MOST_KNOWN];
static int	next_known = 0;

/* A reference of the caller's; NULL: it is not known. */
static EVP_PKEY *
find_known(const uint8 *spki, size_t bytes, WfCryptKeyKind *kind)
{
	for (int i = 0; i < MOST_KNOWN; i++)
	{
		const KnownKey *one = &known[i];

		if (one->key != NULL && one->bytes == bytes && memcmp(one->spki, spki, bytes) == 0 && EVP_PKEY_up_ref(one->key) == 1)
		{
			*kind = one->kind;
			return one->key;
		}
	}
	return NULL;
}

static void
remember(const uint8 *spki, size_t bytes, WfCryptKeyKind kind, EVP_PKEY *key)
{
	KnownKey   *one = &known[next_known];

	if (EVP_PKEY_up_ref(key) != 1)
		return;
	EVP_PKEY_free(one->key);
	memcpy(one->spki, spki, bytes);
	one->bytes = bytes;
	one->kind = kind;
	one->key = key;
	next_known = (next_known + 1) % MOST_KNOWN;
}

/* The key, which the caller frees, and its kind; NULL when it is of none. */
static EVP_PKEY *
parse_key(const uint8 *spki, size_t bytes, WfCryptKeyKind *kind)
{
	const unsigned char *at = spki;
	bool		is_p256 = bytes == P256_SPKI_BYTES && memcmp(spki, p256_prefix, sizeof(p256_prefix)) == 0;
	EVP_PKEY   *key = bytes > WF_CRYPT_SPKI_BYTES ? NULL : d2i_PUBKEY(NULL, &at, (long) bytes);

	*kind = WF_CRYPT_KEY_NONE;
	if (key != NULL && at == spki + bytes)
	{
		int			id = EVP_PKEY_base_id(key);
		int			bits = EVP_PKEY_bits(key);

		if (is_p256 && id == EVP_PKEY_EC)
			*kind = WF_CRYPT_KEY_P256;
		else if (id == EVP_PKEY_RSA && bits >= LEAST_RSA_BITS && bits <= MOST_RSA_BYTES * 8)
			*kind = WF_CRYPT_KEY_RSA;
	}
	ERR_clear_error();
	if (*kind != WF_CRYPT_KEY_NONE)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* The same, of one that may be known. */
static EVP_PKEY *
read_key(const uint8 *spki, size_t bytes, WfCryptKeyKind *kind)
{
	EVP_PKEY   *key = find_known(spki, bytes, kind);

	if (key != NULL)
		return key;
	key = parse_key(spki, bytes, kind);
	if (key != NULL)
		remember(spki, bytes, *kind, key);
	return key;
}

WfCryptKeyKind
wf_crypt_key_kind(const uint8 *spki, size_t bytes)
{
	WfCryptKeyKind kind;

	EVP_PKEY_free(read_key(spki, bytes, &kind));
	return kind;
}

/* -- signatures -- */

/* r and s, each of 32 bytes, as OpenSSL takes them; returns the bytes. */
static size_t
ecdsa_der(const uint8 *signature, uint8 *out)
{
	const uint8 *r = signature;
	const uint8 *s = signature + WF_CRYPT_P256_BYTES;
	size_t		r_bytes = WF_CRYPT_P256_BYTES;
	size_t		s_bytes = WF_CRYPT_P256_BYTES;
	uint8	   *at;

	strip(&r, &r_bytes);
	strip(&s, &s_bytes);
	at = put_head(out, DER_SEQUENCE, 4 + integer_bytes(r, r_bytes) + integer_bytes(s, s_bytes));
	at = put_integer(at, r, r_bytes);
	at = put_integer(at, s, s_bytes);
	return at - out;
}

bool
wf_crypt_verify(WfCryptKeyKind kind, const uint8 *spki, size_t spki_bytes, const void *data, size_t bytes,
				const uint8 *signature, size_t signature_bytes)
{
	uint8		der[2 + 2 * (2 + 1 + WF_CRYPT_P256_BYTES)];
	WfCryptKeyKind found;
	EVP_PKEY   *key;
	EVP_MD_CTX *context;
	bool		holds;

	if (kind == WF_CRYPT_KEY_P256)
	{
		if (signature_bytes != 2 * WF_CRYPT_P256_BYTES)
			return false;
		signature_bytes = ecdsa_der(signature, der);
		signature = der;
	}
	key = read_key(spki, spki_bytes, &found);
	if (key == NULL || found != kind)
	{
		EVP_PKEY_free(key);
		return false;
	}
	context = EVP_MD_CTX_new();
	holds = context != NULL && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestVerify(context, signature, signature_bytes, data, bytes) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return holds;
}

/* -- signing -- */

/* Nobody is asked for a passphrase. */
static int
no_passphrase(char *buffer, int size, int is_written, void *arg)
{
	return 0;
}

/* r and s, each of 32 bytes, of what OpenSSL gives; 0: it is malformed. */
static size_t
ecdsa_raw(const uint8 *der, size_t bytes, uint8 *out)
{
	const unsigned char *at = der;
	ECDSA_SIG  *signature = d2i_ECDSA_SIG(NULL, &at, (long) bytes);
	bool		is_put = signature != NULL &&
		BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, WF_CRYPT_P256_BYTES) == WF_CRYPT_P256_BYTES &&
		BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + WF_CRYPT_P256_BYTES, WF_CRYPT_P256_BYTES) == WF_CRYPT_P256_BYTES;

	ECDSA_SIG_free(signature);
	return is_put ? 2 * WF_CRYPT_P256_BYTES : 0;
}

/* By its public key: there are other curves of 256 bits. */
static bool
is_p256_key(EVP_PKEY *key)
{
	unsigned char *spki = NULL;
	int			bytes = i2d_PUBKEY(key, &spki);
	bool		is_p256 = bytes == P256_SPKI_BYTES && memcmp(spki, p256_prefix, sizeof(p256_prefix)) == 0;

	OPENSSL_free(spki);
	return is_p256;
}

static bool
is_of_kind(EVP_PKEY *key, WfCryptKeyKind kind)
{
	if (key == NULL)
		return false;
	if (kind == WF_CRYPT_KEY_P256)
		return EVP_PKEY_base_id(key) == EVP_PKEY_EC && is_p256_key(key);
	return EVP_PKEY_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) >= LEAST_RSA_BITS && EVP_PKEY_bits(key) <= MOST_RSA_BYTES * 8;
}

size_t
wf_crypt_sign(WfCryptKeyKind kind, const char *pem, size_t pem_bytes, const void *data, size_t bytes, uint8 *out, size_t room)
{
	BIO		   *bio = pem_bytes > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int) pem_bytes);
	EVP_PKEY   *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8		signature[MOST_RSA_BYTES];
	size_t		length = sizeof(signature);

	if (!is_of_kind(key, kind) || context == NULL || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
		EVP_DigestSign(context, signature, &length, data, bytes) != 1)
		length = 0;
	if (length > 0 && kind == WF_CRYPT_KEY_P256)
		length = room < 2 * WF_CRYPT_P256_BYTES ? 0 : ecdsa_raw(signature, length, out);
	else if (length > 0 && length <= room)
		memcpy(out, signature, length);
	else
		length = 0;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return length;
}
