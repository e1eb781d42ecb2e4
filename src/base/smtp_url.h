/*
 * smtp_url.h: the mail relay's address, as workflow.smtp_url has it: smtp[s]://[user[:password]@]host[:port].
 */
#ifndef WF_BASE_SMTP_URL_H
#define WF_BASE_SMTP_URL_H

#include "postgres.h"

/* Has a password in it: whoever has read one wipes it (explicit_bzero). */
typedef struct WfSmtpUrl
{
	bool		is_tls;			/* smtps */
	char		host[256];		/* in lower case; an address of IPv6 is in brackets */
	int			port;			/* 25 or 465 when none is given */
	bool		has_user;
	char		user[512];		/* decoded */
	char		password[1024]; /* decoded; empty when there is none */
} WfSmtpUrl;

/* Reads it; NULL, or what is wrong with it, as the end of a sentence that holds nothing of the text. Allocates nothing. */
extern const char *wf_smtp_url_read(const char *text, WfSmtpUrl *out);

#endif
