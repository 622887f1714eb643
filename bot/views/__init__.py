"""What the bot shows at once, pure: data in, blocks out."""
