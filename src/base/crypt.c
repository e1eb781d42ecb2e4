/*
 * crypt.c: AES-256-GCM and what is made of SHA-256, through OpenSSL's EVP, which exists in 1.1.1 and 3 alike.
 *
 * OpenSSL's contexts are made and freed within one function, in which nothing throws: there is no frame of OpenSSL below
 * any ereport. Freeing a context wipes the key in it.
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

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

bool
wf_crypt_hkdf(const uint8 *secret, int secret_len, const uint8 *salt, int salt_len, const uint8 *info, int info_len,
			  uint8 *out, int out_len)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t		n = out_len;
	bool		done = context != NULL &&
		EVP_PKEY_derive_init(context) > 0 &&
		EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) > 0 &&
		EVP_PKEY_CTX_set1_hkdf_salt(context, unconstify(uint8 *, salt), salt_len) > 0 &&
		EVP_PKEY_CTX_set1_hkdf_key(context, unconstify(uint8 *, secret), secret_len) > 0 &&
		EVP_PKEY_CTX_add1_hkdf_info(context, unconstify(uint8 *, info), info_len) > 0 &&
		EVP_PKEY_derive(context, out, &n) > 0 && n == (size_t) out_len;

	EVP_PKEY_CTX_free(context);
	if (done)
		return true;
	explicit_bzero(out, out_len);
	ERR_clear_error();
	return false;
}

bool
wf_crypt_sha256(const void *data, size_t bytes, uint8 out[WF_CRYPT_HASH_BYTES])
{
	unsigned int n = 0;

	if (EVP_Digest(data, bytes, out, &n, EVP_sha256(), NULL) == 1 && n == WF_CRYPT_HASH_BYTES)
		return true;
	explicit_bzero(out, WF_CRYPT_HASH_BYTES);
	ERR_clear_error();
	return false;
}

bool
wf_crypt_hmac_sha256(const void *key, size_t key_bytes, const void *first, size_t first_bytes, const void *second,
					 size_t second_bytes, uint8 out[WF_CRYPT_HASH_BYTES])
{
	EVP_PKEY   *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key, key_bytes);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t		n = WF_CRYPT_HASH_BYTES;
	bool		done = pkey != NULL && context != NULL &&
		EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
		EVP_DigestSignUpdate(context, first, first_bytes) == 1 &&
		EVP_DigestSignUpdate(context, second, second_bytes) == 1 &&
		EVP_DigestSignFinal(context, out, &n) == 1 && n == WF_CRYPT_HASH_BYTES;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	if (done)
		return true;
	explicit_bzero(out, WF_CRYPT_HASH_BYTES);
	ERR_clear_error();
	return false;
}

bool
wf_crypt_equal(const uint8 *a, const uint8 *b, int len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
