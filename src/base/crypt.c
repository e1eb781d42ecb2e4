/*
 * crypt.c: AES-256-GCM and what is made of SHA-256, through OpenSSL's EVP, which exists in 1.1.1 and 3 alike.
 *
 * OpenSSL's contexts are made and freed within one function, in which nothing throws: there is no frame of OpenSSL below
 * any ereport. Freeing a context wipes the key in it. That of hashes is kept, and wiped after each.
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/crypt.h"

/* Begins one direction, with the associated data. */
static bool
begin(EVP_CIPHER_CTX *context, bool encrypt, const uint8 *key, const uint8 *nonce, const uint8 *associated,
	  int associated_len)
{
	int			n;

	return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, NULL, NULL, encrypt) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IVLEN, WF_CRYPT_NONCE_BYTES, NULL) == 1 &&
		EVP_CipherInit_ex(context, NULL, NULL, key, nonce, encrypt) == 1 &&
		(associated_len == 0 || EVP_CipherUpdate(context, NULL, &n, associated, associated_len) == 1);
}

bool
wf_crypt_seal(const uint8 *key, const uint8 *nonce, const uint8 *associated, int associated_len, const uint8 *plain,
			  int len, uint8 *sealed)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int			n;
	bool		done = context != NULL &&
		begin(context, true, key, nonce, associated, associated_len) &&
		(len == 0 || EVP_EncryptUpdate(context, sealed, &n, plain, len) == 1) &&
		EVP_EncryptFinal_ex(context, sealed + len, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, WF_CRYPT_TAG_BYTES, sealed + len) == 1;

	EVP_CIPHER_CTX_free(context);
	if (!done)
		ERR_clear_error();
	return done;
}

bool
wf_crypt_open(const uint8 *key, const uint8 *nonce, const uint8 *associated, int associated_len, const uint8 *sealed,
			  int sealed_len, uint8 *plain)
{
	int			len = sealed_len - WF_CRYPT_TAG_BYTES;
	uint8		tag[WF_CRYPT_TAG_BYTES];
	uint8		rest[WF_CRYPT_TAG_BYTES];
	EVP_CIPHER_CTX *context;
	int			n;
	bool		done;

	if (len < 0)
		return false;
	memcpy(tag, sealed + len, sizeof(tag));
	context = EVP_CIPHER_CTX_new();
	done = context != NULL &&
		begin(context, false, key, nonce, associated, associated_len) &&
		(len == 0 || EVP_DecryptUpdate(context, plain, &n, sealed, len) == 1) &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, sizeof(tag), tag) == 1 &&
		EVP_DecryptFinal_ex(context, rest, &n) == 1;	/* compares the tags; GCM leaves no rest */
	EVP_CIPHER_CTX_free(context);
	if (done)
		return true;
	explicit_bzero(plain, len);
	ERR_clear_error();
	return false;
}

/* -- SHA-256 and what is made of it -- */

#define BLOCK_BYTES 64

/* Looked up once: OpenSSL 3 does so anew each time that it is named, which costs more than the hash of a short text. */
static const EVP_MD *
sha256(void)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	static EVP_MD *fetched = NULL;

	if (fetched == NULL)
		fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (fetched != NULL)
		return fetched;
#endif
	return EVP_sha256();
}

/* A piece of what is hashed. */
typedef struct Piece
{
	const void *data;
	size_t		bytes;
} Piece;

/* The hash of the pieces, one behind the other. The context is wiped. */
static bool
hash_pieces(const Piece *pieces, int n, uint8 *out)
{
	static EVP_MD_CTX *context = NULL;
	unsigned int n_out = 0;
	bool		done;

	if (context == NULL)
		context = EVP_MD_CTX_new();
	done = context != NULL && EVP_DigestInit_ex(context, sha256(), NULL) == 1;
	for (int i = 0; i < n && done; i++)
		done = pieces[i].bytes == 0 || EVP_DigestUpdate(context, pieces[i].data, pieces[i].bytes) == 1;
	done = done && EVP_DigestFinal_ex(context, out, &n_out) == 1 && n_out == WF_CRYPT_HASH_BYTES;
	if (context != NULL)
		(void) EVP_MD_CTX_reset(context);
	if (done)
		return true;
	explicit_bzero(out, WF_CRYPT_HASH_BYTES);
	ERR_clear_error();
	return false;
}

/* HMAC (RFC 2104) of up to three pieces; by hand, as OpenSSL's takes ten times as long to set up as to compute. */
static bool
hmac_pieces(const void *key, size_t key_bytes, const Piece *pieces, int n, uint8 *out)
{
	uint8		pad[BLOCK_BYTES] = {0};
	uint8		inner[WF_CRYPT_HASH_BYTES];
	Piece		all[4] = {{pad, sizeof(pad)}};
	bool		done = true;

	Assert(n < lengthof(all));
	if (key_bytes > BLOCK_BYTES)
		done = hash_pieces(&(Piece) {key, key_bytes}, 1, pad);
	else if (key_bytes > 0)
		memcpy(pad, key, key_bytes);
	for (int i = 0; i < BLOCK_BYTES; i++)
		pad[i] ^= 0x36;
	memcpy(all + 1, pieces, sizeof(Piece) * n);
	done = done && hash_pieces(all, n + 1, inner);
	for (int i = 0; i < BLOCK_BYTES; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	all[1] = (Piece) {inner, sizeof(inner)};
	done = done && hash_pieces(all, 2, out);
	explicit_bzero(pad, sizeof(pad));
	explicit_bzero(inner, sizeof(inner));
	if (!done)
		explicit_bzero(out, WF_CRYPT_HASH_BYTES);
	return done;
}

bool
wf_crypt_hkdf(const uint8 *secret, int secret_len, const uint8 *salt, int salt_len, const uint8 *info, int info_len,
			  uint8 *out, int out_len)
{
	uint8		key[WF_CRYPT_HASH_BYTES];
	uint8		block[WF_CRYPT_HASH_BYTES];
	uint8		number = 0;
	bool		done = out_len <= 255 * WF_CRYPT_HASH_BYTES &&
		hmac_pieces(salt, salt_len, &(Piece) {secret, secret_len}, 1, key);

	for (int at = 0; at < out_len && done; at += WF_CRYPT_HASH_BYTES)
	{
		const Piece pieces[] = {{block, at > 0 ? sizeof(block) : 0}, {info, info_len}, {&number, 1}};

		number++;
		done = hmac_pieces(key, sizeof(key), pieces, lengthof(pieces), block);
		if (done)
			memcpy(out + at, block, Min(out_len - at, WF_CRYPT_HASH_BYTES));
	}
	explicit_bzero(key, sizeof(key));
	explicit_bzero(block, sizeof(block));
	if (!done)
		explicit_bzero(out, out_len);
	return done;
}

bool
wf_crypt_sha256(const void *data, size_t bytes, uint8 out[WF_CRYPT_HASH_BYTES])
{
	return hash_pieces(&(Piece) {data, bytes}, 1, out);
}

bool
wf_crypt_hmac_sha256(const void *key, size_t key_bytes, const void *first, size_t first_bytes, const void *second,
					 size_t second_bytes, uint8 out[WF_CRYPT_HASH_BYTES])
{
	const Piece pieces[] = {{first, first_bytes}, {second, second_bytes}};

	return hmac_pieces(key, key_bytes, pieces, lengthof(pieces), out);
}

bool
wf_crypt_equal(const uint8 *a, const uint8 *b, int len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
