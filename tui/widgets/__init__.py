"""What the dashboard's screens are made of: lines, tables, the activity log, figures, prompts."""
