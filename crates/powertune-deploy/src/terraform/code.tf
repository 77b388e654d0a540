variable "code" {
  description = "Zip file with the functions' bootstrap; null for the one that cargo lambda build --release --package powertune-functions --output-format zip leaves in this repository"
  type        = string
  default     = null
}
