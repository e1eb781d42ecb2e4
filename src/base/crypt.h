/*
 * crypt.h: AES-256-GCM, HKDF-SHA256, SHA-256 and HMAC-SHA256. The only files that know OpenSSL are crypt.c and net/.
 *
 * Nothing here throws, allocates in memory contexts, or leaves anything in OpenSSL's queue of errors.
 */
#ifndef WF_BASE_CRYPT_H
#define WF_BASE_CRYPT_H

#include "postgres.h"

#define WF_CRYPT_KEY_BYTES 32
#define WF_CRYPT_NONCE_BYTES 12
#define WF_CRYPT_TAG_BYTES 16
#define WF_CRYPT_HASH_BYTES 32

/* Encrypts `len` bytes into `sealed`, which has room for WF_CRYPT_TAG_BYTES more: the tag comes last. False when OpenSSL
 * can't (a provider without AES-GCM, no memory). A nonce is never used twice with a key. */
extern bool wf_crypt_seal(const uint8 *key, const uint8 *nonce, const uint8 *associated, int associated_len,
						  const uint8 *plain, int len, uint8 *sealed);
/* The reverse; `plain` has room for sealed_len - WF_CRYPT_TAG_BYTES. False, with `plain` wiped, when the tag is not that of
 * these bytes, associated data, nonce and key. */
extern bool wf_crypt_open(const uint8 *key, const uint8 *nonce, const uint8 *associated, int associated_len,
						  const uint8 *sealed, int sealed_len, uint8 *plain);

/* RFC 5869 with SHA-256. False when OpenSSL can't; `out` is wiped then. */
extern bool wf_crypt_hkdf(const uint8 *secret, int secret_len, const uint8 *salt, int salt_len, const uint8 *info,
						  int info_len, uint8 *out, int out_len);

/* False when OpenSSL can't; `out` is wiped then. */
extern bool wf_crypt_sha256(const void *data, size_t bytes, uint8 out[WF_CRYPT_HASH_BYTES]);

/* HMAC-SHA256 of `first` and `second`, one behind the other. The key has at least a byte. False when OpenSSL can't; `out` is
 * wiped then. */
extern bool wf_crypt_hmac_sha256(const void *key, size_t key_bytes, const void *first, size_t first_bytes,
								 const void *second, size_t second_bytes, uint8 out[WF_CRYPT_HASH_BYTES]);

/* Compares in a time that does not depend on the bytes. */
extern bool wf_crypt_equal(const uint8 *a, const uint8 *b, int len);

#endif
