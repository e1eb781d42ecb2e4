/*
 * gettext_stub.c: preloaded beside libasan. The server calls these before AddressSanitizer's own
 * interceptors are ready, and hangs; it speaks English without them.
 */
char *bindtextdomain(const char *domain, const char *folder);
char *textdomain(const char *domain);

char *
bindtextdomain(const char *domain, const char *folder)
{
	(void) domain;
	return (char *) folder;
}

char *
textdomain(const char *domain)
{
	return (char *) domain;
}
