/*
 * text.h: small helpers on C strings.
 */
#ifndef WF_BASE_TEXT_H
#define WF_BASE_TEXT_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* The candidate nearest to `name` by edit distance, or NULL when none is near enough to be meant. */
extern const char *wf_text_nearest(const char *name, const char *const *candidates, int n_candidates);

/* `did you mean "x"?` in CurrentMemoryContext, or NULL. */
extern const char *wf_text_did_you_mean(const char *name, const char *const *candidates, int n_candidates);

/* A name as it may stand in a message: at most 64 bytes, clipped at a character with "...". */
extern const char *wf_text_clip(const char *name);

/* Bytes as hexadecimal digits in lower case, in CurrentMemoryContext. */
extern char *wf_text_hex(const uint8 *bytes, size_t n);

/* Its length; that of NULL is 0. */
extern size_t wf_text_length(const char *text);

/* A duration (`5 minutes`, `PT5M`, `90`, or a JSON number of seconds as text) in milliseconds.
 * False when it is not one, is negative, or does not fit. Never throws. */
extern bool wf_text_duration_ms(const char *text, int64 *out_ms);

/* A size (`16MB`, `512 kB`, `1000`) in bytes. False when it is none, is 0, or does not fit. Never throws. */
extern bool wf_text_size_bytes(const char *text, int64 *out_bytes);

/* Appends what the arguments (fmt, ...) of the function at hand say to a StringInfo. */
#define WF_APPEND_ARGS(buffer, fmt) \
	do { \
		va_list		wf_args; \
		int			wf_missing; \
\
		do \
		{ \
			va_start(wf_args, fmt); \
			wf_missing = appendStringInfoVA((buffer), (fmt), wf_args); \
			va_end(wf_args); \
			if (wf_missing > 0) \
				enlargeStringInfo((buffer), wf_missing); \
		} while (wf_missing > 0); \
	} while (0)

#endif
