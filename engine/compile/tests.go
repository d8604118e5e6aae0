package compile

// tests checks the pipeline's own cases; see Cases.
func (c *compiler) tests(v *value, b *builder) {}
